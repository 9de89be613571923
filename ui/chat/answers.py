"""What a person asked to read, from an operation's result; the receipt says the rest."""

from __future__ import annotations

from typing import Any

from ui import words
from ui.cards import receipt_name
from ui.chat.links import linked
from ui.chat.markdown import cell, code, facts, plain, prose, table
from ui.tables import Records, pictures, rollout_devices, tables, text_table

Json = dict[str, Any]
COLUMNS_SHOWN = 7
ROWS_SHOWN = 50
EVIDENCE_SHOWN = 12


def answer(operation: str, receipt: Json, result: Json) -> str:
    """A finished step as an answer: one sentence, and what was asked to be seen."""
    says = str(receipt.get("says") or operation)
    body = _body(operation, result)
    if operation in ("knowledge.ask", "platform.help") and body:
        return f"{body}\n\n{_proof(receipt)}"
    told = f"{plain(says)}\n\n{body}" if body else plain(says)
    return f"{told}\n\n{_proof(receipt)}"


def _proof(receipt: Json) -> str:
    """The receipt's name, what it took, and whether it can be undone."""
    name = receipt_name(receipt)
    shown = [f"[{name}](/receipts/{name})"]
    shown.append(words.duration(receipt.get("seconds")))
    if receipt.get("evidence"):
        count = len(receipt["evidence"])
        shown.append(f"{count} fact{'s' if count > 1 else ''} read back")
    if receipt.get("undo"):
        shown.append("can be undone: say “undo it”")
    return f"*{' · '.join(shown)}*"


def _body(operation: str, result: Json) -> str:
    if operation == "knowledge.ask":
        return _cited(result)
    if operation == "knowledge.search":
        return _passages(result)
    if operation == "platform.help":
        return plain(result.get("text", ""))
    if isinstance(result.get("markdown"), str):
        return prose(result["markdown"])
    return _tables(operation, result)


def _cited(result: Json) -> str:
    told = [plain(result.get("text", ""))]
    for citation in result.get("citations") or []:
        place = f"{citation['source']}, {citation['heading']}"
        span = f"{citation['start']}–{citation['end']}"
        told.append(f"\\[{citation['number']}\\] {plain(place)} ({span})")
    if not result.get("answered") and result.get("nearest"):
        told.append(f"Nearest documents: {plain(result['nearest'])}")
    return "\n\n".join(told)


def _passages(result: Json) -> str:
    return "\n\n".join(
        f"**{plain(p['source'])}, {plain(p['heading'])}**\n\n{plain(p['text'].strip())}"
        for p in result.get("passages") or []
    )


def _tables(operation: str, result: Json) -> str:
    """The tables of a result, and where its pictures lie."""
    text = text_table(result)
    if text is not None:
        drawn = [f"```text\n{text.replace('```', '')}\n```"]
    else:
        shown = rollout_devices(result) if operation == "deployment.status" else result
        found = tables(shown, COLUMNS_SHOWN)
        drawn = [_drawn(operation, one, titled=len(found) > 1) for one in found]
    drawn += [f"{name}: {code(path)}" for name, path in pictures(result)]
    return "\n\n".join(drawn)


def _drawn(operation: str, given: Records, *, titled: bool) -> str:
    shown = [
        [_shown(operation, column, row.get(column)) for column in given.columns]
        for row in given.rows[:ROWS_SHOWN]
    ]
    drawn = table([cell(c.replace("_", " ")) for c in given.columns], shown)
    if titled:
        drawn = f"**{plain(given.name.replace('_', ' '))}**\n\n{drawn}"
    rest = len(given.rows) - ROWS_SHOWN
    return f"{drawn}\n\n… {rest} more" if rest > 0 else drawn


def _shown(operation: str, field: str, value: Any) -> str:
    if isinstance(value, str) and len(value) > 18 and value[4:5] == "-" and value[10:11] == "T":
        return cell(words.moment(value))
    return linked(field, value, operation)


def proof_of(receipt: Json) -> str:
    """The whole receipt, for the step that it belongs to."""
    rows = [
        ("receipt", f"[{receipt_name(receipt)}](/receipts/{receipt_name(receipt)})"),
        ("done", plain(receipt.get("says") or "")),
        ("took", words.duration(receipt.get("seconds"))),
        ("audit", f"record {receipt.get('audit')}"),
    ]
    if receipt.get("job"):
        rows.append(("job", linked("job", receipt["job"])))
    if receipt.get("approval"):
        own = ", self-approved" if receipt.get("self_approved") else ""
        rows.append(("approval", f"{code(receipt['approval'])}{own}"))
    if receipt.get("undo"):
        undo = receipt["undo"]
        rows.append(("undo", plain(f"{undo['operation']}: {words.arguments(undo['arguments'])}")))
    evidence = receipt.get("evidence") or []
    drawn = facts(rows)
    if not evidence:
        return drawn
    shown = [(cell(e["fact"]), cell(e["value"]), cell(e["source"])) for e in evidence]
    return f"{drawn}\n\n{table(('evidence', 'value', 'read from'), shown[:EVIDENCE_SHOWN])}"
