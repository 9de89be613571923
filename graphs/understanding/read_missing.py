"""What is still missing when all words are read."""

from __future__ import annotations

from graphs.understanding.asking import ask
from graphs.understanding.conversation import kind_of_field
from graphs.understanding.reading import Reading
from tools.kernel.entities import EntityKind
from tools.kernel.operations import Effect

_MODELS = (EntityKind.MODEL, EntityKind.MODEL_VERSION)


def missing(r: Reading) -> None:
    """Ask for the first argument that is required and was not found."""
    for name, info in r.fields.items():
        if info.is_required() and r.open(name) and _spoken_of(r, name):
            continue
        if info.is_required() and r.open(name) and not _comes_later(r, name):
            of = r.out.arguments.get("model")
            r.out.question = ask(
                r.operation, name, r.scope.names, of=of if isinstance(of, str) else None
            )
            return
    subject = _whole_is_missing(r)
    if subject:
        r.out.question = ask(r.operation, subject, r.scope.names)


def _spoken_of(r: Reading, name: str) -> bool:
    """True if what is only read is about the thing spoken of last, which then need not be said."""
    kind = r.kind(name)
    if r.operation.effect is not Effect.READ or kind is None:
        return False
    found = r.scope.conversation.newest(kind)
    if found is None or not isinstance(found.value, str | int):
        return False
    r.out.arguments[name] = found.value
    return True


def _comes_later(r: Reading, name: str) -> bool:
    return r.out.needs is not None and kind_of_field(r.operation.name, name) in _MODELS


def _whole_is_missing(r: Reading) -> str | None:
    """The slot to ask for where one of several would do, and none was said."""
    subjects = {"model", "job"}
    if not subjects <= set(r.fields) or any(r.fields[name].is_required() for name in subjects):
        return None
    return None if subjects & set(r.out.arguments) or r.out.needs else "model"
