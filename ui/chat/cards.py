"""The cards on which a person decides: approvals, and plans that write."""

from __future__ import annotations

from typing import Any

from ui import words
from ui.chat.markdown import code, facts, link, plain, table
from ui.chat.sheet import button

Json = dict[str, Any]
_ENDINGS = {
    "granted": "✔ Approved",
    "used": "✔ Approved and carried out",
    "denied": "✘ Denied",
    "revoked": "✘ Taken back",
    "expired": "⌛ Expired",
}


def approval_card(approval: Json, sentence: str, currency: str) -> str:
    """What, on what, why, the difference, risk, cost, who proposed, who may, until when."""
    preview: Json = approval.get("preview") or {}
    title = f"### {_headline(approval)}\n\n{plain(preview.get('summary') or approval['operation'])}"
    parts = [title, facts(_rows(approval, preview, sentence, currency))]
    parts[1:1] = _changes(preview)
    return "\n\n".join(parts)


def decisions(approval: Json) -> list[Json]:
    """The buttons under the card of an approval that is pending."""
    held = {"approval": approval["id"]}
    return [
        button("approve", "Approve", held, icon="check"),
        button("deny", "Deny, with a reason", held, icon="x"),
        button("edit", "Edit and plan anew", held, icon="pencil"),
    ]


def _changes(preview: Json) -> list[str]:
    """The table of what would change, if anything would."""
    rows = [
        (plain(c.get("what")), plain(c.get("before")), plain(c.get("after")))
        for c in preview.get("changes") or []
    ]
    return [table(("what changes", "now", "then"), rows)] if rows else []


def _headline(approval: Json) -> str:
    status = approval.get("status", "pending")
    if status == "pending":
        return "Approval needed"
    own = " (self-approved)" if approval.get("self_approved") else ""
    by = f" by {plain(approval['decided_by'])}" if approval.get("decided_by") else ""
    why = f": {plain(approval['reason'])}" if approval.get("reason") else ""
    return f"{_ENDINGS.get(status, plain(status))}{by}{own}{why}"


def _rows(approval: Json, preview: Json, sentence: str, currency: str) -> list[tuple[str, str]]:
    called = words.arguments(approval.get("arguments") or {})
    rows = [("on what", f"{code(approval['operation'])} {plain(called)}")]
    if sentence:
        rows.append(("why", f"asked: “{plain(sentence)}”"))
    rows += [("warning", plain(text)) for text in preview.get("warnings") or []]
    rows.append(("risk", plain(preview.get("risk") or "none known")))
    cost = preview.get("cost")
    spent = words.money(cost, currency) if cost is not None else "no cost known"
    rows.append(("takes", f"{words.duration(preview.get('seconds'))}, {plain(spent)}"))
    rows.append(("proposed by", plain(f"{approval['proposer']} ({approval['channel']})")))
    rows.append(("who may approve", plain(_who(approval))))
    if approval.get("status", "pending") == "pending" and approval.get("expires"):
        until = approval["expires"]
        rows.append(("expires", f"{words.moment(until)}, {words.remaining(until)}"))
    page = link(approval["id"], f"/approvals/{approval['id']}")
    rows.append(("approval", f"{page}, from any door"))
    return rows


def _who(approval: Json) -> str:
    if approval.get("second_person"):
        return f"an approver other than {approval['proposer']}"
    return f"an approver; {approval['proposer']} too, by typing {approval['confirm']}"


def plan_lines(steps: list[Json]) -> str:
    """A plan's steps, a line each, with what they will be called with."""
    return "\n".join(
        f"{n}. {code(s['operation'])} {plain(words.arguments(s.get('arguments') or {}))}"
        for n, s in enumerate(steps, 1)
    )


def would(preview: Json, currency: str) -> str:
    """What a step would do, for a dry run."""
    parts = [f"It would: {plain(preview.get('summary'))}"]
    parts += _changes(preview)
    parts += [f"⚠ {plain(text)}" for text in preview.get("warnings") or []]
    if preview.get("seconds") is not None:
        cost = words.money(preview.get("cost"), currency)
        parts.append(f"Estimated at {words.duration(preview['seconds'])}, {plain(cost)}.")
    return "\n\n".join(parts)
