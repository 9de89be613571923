"""Cards and tables: approvals, receipts, answers, reports. Light until drawn."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ui import words
from ui.records import records
from ui.tables import pictures, rollout_devices, tables, text_table

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

Json = dict[str, Any]
EVIDENCE_SHOWN = 6
COLUMNS_SHOWN = 8
_HASH = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{20,}\b")


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], title: str | None = None) -> Table:
    """A plain table; numbers are written by `words.value`."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False)
    for column in columns:
        drawn.add_column(column, overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(words.value(cell)) for cell in row))
    return drawn


def approval_card(
    approval: Json, *, sentence: str | None = None, currency: str = ""
) -> RenderableType:
    """What a person decides on: what, on what, why, differences, risk, cost, who, until when."""
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, text in _approval_rows(approval, sentence, currency):
        grid.add_row(name, Text(text))
    title = f"approval {approval.get('id', '')}"
    return Panel(grid, title=title, title_align="left", border_style="yellow", expand=False)


def _approval_rows(approval: Json, sentence: str | None, currency: str) -> list[tuple[str, str]]:
    preview: Json = approval.get("preview") or {}
    rows = [
        ("what", str(preview.get("summary", approval.get("operation")))),
        (
            "on what",
            f"{approval.get('operation')}: {words.arguments(approval.get('arguments', {}))}",
        ),
    ]
    if sentence:
        rows.append(("why", f"asked: “{sentence}”"))
    rows += [
        ("" if n else "differences", t)
        for n, t in enumerate(map(_change, preview.get("changes") or []))
    ]
    rows += [("warning", str(text)) for text in preview.get("warnings") or []]
    rows.append(("risk", str(preview.get("risk") or "none known")))
    rows.append(("takes", _cost(preview, currency)))
    rows.append(("proposed by", f"{approval.get('proposer')} ({approval.get('channel')})"))
    rows.append(("who may", _who(approval)))
    if approval.get("expires"):
        until = approval["expires"]
        rows.append(("expires", f"{words.moment(until)}, {words.remaining(until)}"))
    return rows


def _change(change: Json) -> str:
    before, after = words.value(change.get("before")), words.value(change.get("after"))
    return f"{change.get('what')}: {before} → {after}"


def _cost(preview: Json, currency: str) -> str:
    cost = preview.get("cost")
    spent = words.money(cost, currency) if cost is not None else "no cost known"
    return f"{words.duration(preview.get('seconds'))}, {spent}"


def _who(approval: Json) -> str:
    if approval.get("second_person"):
        return f"an approver other than {approval.get('proposer')}"
    return f"an approver; {approval.get('proposer')} too, by typing {approval.get('confirm')!r}"


def receipt_lines(receipt: Json, *, limit: int = EVIDENCE_SHOWN, whole: bool = False) -> list[str]:
    """A receipt's evidence, a line each; hashes are cut short unless it is to be `whole`."""
    evidence = receipt.get("evidence") or []
    told = [f"{e['fact']} = {words.value(e['value'])}  · {e['source']}" for e in evidence[:limit]]
    lines = told if whole else [_HASH.sub(r"\1…", line) for line in told]
    if len(evidence) > limit:
        lines.append(f"… {len(evidence) - limit} more: pilothouse receipts {receipt_name(receipt)}")
    return lines


def secret_lines(answer: Json) -> list[str]:
    """What a result holds for the asker's eyes alone, such as a new token: shown this once."""
    shown, masked = answer.get("revealed") or {}, answer.get("result") or {}
    return [
        f"{name}: {value}   (shown only now)"
        for name, value in shown.items()
        if value != masked.get(name)
    ]


def receipt_name(receipt: Json) -> str:
    """`R12`."""
    return f"R{receipt.get('number', '?')}"


def receipts_table(receipts: Iterable[Json], title: str | None = None) -> Table:
    """Receipts, a row each."""
    return table(
        ("receipt", "operation", "status", "what was done", "evidence", "seconds", "undo"),
        [
            (
                receipt_name(r),
                r["operation"],
                r["status"],
                r.get("says", ""),
                len(r.get("evidence") or []),
                round(float(r.get("seconds", 0.0)), 1),
                _undo(r),
            )
            for r in receipts
        ],
        title,
    )


def _undo(receipt: Json) -> str:
    if receipt.get("undone_by"):
        return "undone"
    return "possible" if receipt.get("undo") else "–"


def receipt_card(receipt: Json, currency: str = "") -> RenderableType:
    """The whole of one receipt."""
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, text in _receipt_rows(receipt, currency):
        grid.add_row(name, Text(text))
    return Panel(grid, title=receipt_name(receipt), title_align="left", expand=False)


def _receipt_rows(receipt: Json, currency: str) -> list[tuple[str, str]]:
    rows = [
        ("what", str(receipt.get("says"))),
        ("call", f"{receipt['operation']}: {words.arguments(receipt.get('arguments') or {})}"),
        ("status", f"{receipt['status']} at {words.moment(receipt.get('created'))}"),
        ("by", f"{receipt.get('principal')} ({receipt.get('channel')})"),
    ]
    if receipt.get("approval"):
        own = ", self-approved" if receipt.get("self_approved") else ""
        rows.append(("approval", f"{receipt['approval']}{own}"))
    cost = words.money(receipt.get("cost"), currency)
    rows.append(("took", f"{words.duration(receipt.get('seconds'))}, {cost}"))
    lines = receipt_lines(receipt, limit=200, whole=True) or ["none: the result is what was read"]
    rows += [("" if n else "evidence", line) for n, line in enumerate(lines)]
    if receipt.get("error"):
        rows.append(("error", " ".join(words.problem_lines(receipt["error"]))))
    undo = receipt.get("undo")
    if undo:
        rows.append(("undo", f"{undo['operation']}: {words.arguments(undo['arguments'])}"))
    if receipt.get("undone_by"):
        rows.append(("undone by", str(receipt["undone_by"])))
    rows.append(("audit", f"record {receipt.get('audit')}"))
    return rows


def draw_result(screen: Console, operation: str, result: Json) -> None:
    """The part of a result that a person asked to read; nothing where the receipt says it all."""
    drawer = _DRAWERS.get(operation)
    if drawer is not None:
        drawer(screen, result)
    elif "markdown" in result:
        _draw_report(screen, result)
    else:
        _draw_tables(screen, result)
    for name, path in pictures(result):
        screen.print(f"  {name}: {path}", soft_wrap=True)


def _draw_tables(screen: Console, result: Json) -> None:
    """The tables of a result, each under the name of its field where there are several."""
    text = text_table(result)
    if text is not None:
        screen.print(text, soft_wrap=True, highlight=False, markup=False)
        return
    found = tables(result, COLUMNS_SHOWN)
    for given in found:
        rows = [[_cell(row.get(c)) for c in given.columns] for row in given.rows]
        title = given.name.replace("_", " ") if len(found) > 1 else None
        screen.print(records(screen, given.columns, rows, title))


def _draw_report(screen: Console, result: Json) -> None:
    from rich.markdown import Markdown
    from rich.padding import Padding

    text = result["markdown"]
    if screen.is_terminal:
        screen.print(Padding(Markdown(text), (0, 2)))
    else:
        screen.print(text, soft_wrap=True)


def _draw_answer(screen: Console, result: Json) -> None:
    screen.print()
    for line in result["text"].splitlines():
        screen.print(f"  {line}", soft_wrap=not screen.is_terminal)
    screen.print()
    for citation in result.get("citations") or []:
        place = f"{citation['source']}, {citation['heading']}"
        screen.print(f"  [{citation['number']}] {place} ({citation['start']}–{citation['end']})")
    if not result.get("answered") and result.get("nearest"):
        screen.print(f"  nearest documents: {', '.join(result['nearest'])}")


def _draw_passages(screen: Console, result: Json) -> None:
    for passage in result.get("passages") or []:
        screen.print(f"\n  {passage['source']}, {passage['heading']}", style="bold")
        screen.print(f"  {passage['text'].strip()}")


def _draw_text(screen: Console, result: Json) -> None:
    screen.print(result["text"])


def _draw_access(screen: Console, result: Json) -> None:
    """Draw users with their roles, or access tokens with what they lend."""
    columns, rows = _PEOPLE, result.get("users") or []
    if "tokens" in result:
        columns, rows = _TOKENS, result["tokens"]
    if rows:
        screen.print(table(columns, [[_access(c, row.get(c)) for c in columns] for row in rows]))


def _draw_rollouts(screen: Console, result: Json) -> None:
    _draw_tables(screen, rollout_devices(result))


def _access(column: str, value: Any) -> str:
    if column == "scopes" and value is None:
        return "everything"
    return ", ".join(value) if isinstance(value, list) else _cell(value)


_PEOPLE = ("name", "roles", "signs_in", "locked")
_TOKENS = ("id", "label", "user", "prefix", "scopes", "status", "expires", "used")


def _draw_schedules(screen: Console, result: Json) -> None:
    """A row for each schedule: when it runs, when next, and how it went last."""
    rows = [
        (
            s["id"],
            s["schedule"],
            s["status"],
            s["when"],
            words.moment(s["next"][0]) if s["next"] else "–",
            _last_run(s),
            ", ".join(s["operations"]),
        )
        for s in result["schedules"]
    ]
    if rows:
        columns = ("", "schedule", "status", "when", "next", "last run", "what")
        screen.print(table(columns, rows))


def _last_run(schedule: Json) -> str:
    if not schedule["runs"]:
        return schedule["note"] or "–"
    run = schedule["runs"][0]
    return f"{run['run']}: {run['status']}" + (f" ({run['note']})" if run["note"] else "")


def _cell(given: Any) -> Any:
    if isinstance(given, str) and len(given) > 18 and given[4:5] == "-" and given[10:11] == "T":
        return words.moment(given)
    return given


_LISTS = (
    "datasets.list",
    "training.list",
    "registry.list",
    "evaluation.results",
    "devices.list",
    "devices.health",
    "knowledge.sources",
    "platform.approvals",
    "platform.jobs",
    "platform.receipts",
    "platform.audit",
)
_DRAWERS = {
    "knowledge.ask": _draw_answer,
    "knowledge.search": _draw_passages,
    "platform.help": _draw_text,
    "schedules.list": _draw_schedules,
    "platform.users": _draw_access,
    "platform.tokens": _draw_access,
    "deployment.status": _draw_rollouts,
    **dict.fromkeys(_LISTS, _draw_tables),
}
