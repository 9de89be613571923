"""Files that are worked on at once: `train on a.csv` adds the file, then trains on its rows."""

from __future__ import annotations

import re

_WORK = r"(?:re-?train|train|fine-?tune|fine tune|tune|evaluate|eval|test|score|compare|benchmark)"
_FILE = r"[\"'`]?(?P<path>[\w~./\\:-]*\w\.(?:csv|tsv|jsonl|ndjson|json|parquet))[\"'`]?(?![\w/\\])"
_WORKED_ON = re.compile(
    rf"\b(?P<act>{_WORK}\b(?P<between>(?:(?!\b{_WORK}\b)[^.;!?\n])*?))"
    rf"\s(?P<on>on|with|from|using|against|over)\s+(?:the\s+|my\s+|our\s+|this\s+)?"
    rf"(?:file\s+|data\s+(?:in|from|of)\s+|rows\s+(?:in|from|of)\s+)?{_FILE}",
    re.IGNORECASE,
)
_NOT_ORDERED = re.compile(
    r"\b(?:not|never|no|n't|nobody|without|add|load|import|upload|ingest|pull|put|read|should|would"
    r"|why|how|who|said|says|told|asked|wrote|wants?|dont|didnt|doesnt|wont|cant|shouldnt|wouldnt)\b|n't\b",
    re.IGNORECASE,
)


def files_added(text: str) -> str:
    """The text with files said to be added before something is trained or measured on them.

    Nothing changes where the words before say that it is not ordered, or that it is added anyway.
    """
    found = _WORKED_ON.search(text)
    if found is None:
        return text
    begin = max((m.end() for m in re.finditer(r"[.;!?\n]\s", text[: found.start()])), default=0)
    if _NOT_ORDERED.search(text[begin : found.start()] + " " + found["between"]):
        return text
    added = f"add {found['path']} and then {found['act']} on that dataset"
    return f"{text[: found.start()]}{added}{text[found.end() :]}"
