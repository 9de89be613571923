"""`pilothouse`: the terminal's way in. Imports little; every command imports what it needs.

No traceback reaches a person: `main` turns every error into words and an exit code, and writes what
nobody expected to the home's log.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from ui.commands import (
    approvals,
    conversations,
    doctor,
    fleet,
    jobs,
    models,
    operations,
    process,
    records,
    router,
    schedules,
    servers,
    tokens,
    users,
)
from ui.guard import guarded

GROUPS = (
    conversations,
    operations,
    fleet,
    jobs,
    schedules,
    approvals,
    records,
    process,
    users,
    models,
    router,
    servers,
    tokens,
    doctor,
)

app = typer.Typer(
    name="pilothouse",
    help="The one room that machine-learning operations are steered from.",
    epilog="Exit codes: 0 done, 2 bad input, 3 needs an approval, 4 failed.",
    invoke_without_command=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for group in GROUPS:
    group.register(app)


@app.callback()
def root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False,
) -> None:
    """The one room that machine-learning operations are steered from."""
    if version:
        from ui.home import VERSION

        print(f"pilothouse {VERSION}")
    elif context.invoked_subcommand is None:
        print(context.get_help())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit code.

    Args:
        arguments: the command line, without the program's name.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    return guarded(lambda: _run(given), as_json="--json" in given)


def _run(given: list[str]) -> int | None:
    from typer.exceptions import Abort, Exit, TyperException

    try:
        return app(given, prog_name="pilothouse", standalone_mode=False)
    except Exit as ended:
        return ended.exit_code
    except Abort:
        raise KeyboardInterrupt from None
    except TyperException as error:
        from tools.kernel.errors import InvalidInput

        context = getattr(error, "ctx", None)
        hint = f"See `{context.command_path} --help`." if context is not None else None
        raise InvalidInput(error.format_message(), hint=hint) from error


if __name__ == "__main__":
    sys.exit(main())
