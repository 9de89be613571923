"""The last line before the person: every error becomes words and an exit code."""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Callable
from io import TextIOWrapper
from typing import TYPE_CHECKING

from tools.kernel.errors import NeedsApproval, PilothouseError

if TYPE_CHECKING:
    from pathlib import Path


def guarded(command: Callable[[], int | None], *, as_json: bool) -> int:
    """Run a command; returns its exit code, whatever happens.

    Args:
        command: what to run.
        as_json: True to print errors as one JSON object on standard output.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without our arrows still works
    try:
        code = command() or 0
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        os.dup2(
            os.open(os.devnull, os.O_WRONLY), 1
        )  # whoever read has enough; no complaint at exit
        return 0
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return 130
    except Exception as error:
        return _told(error, as_json)


def _told(error: Exception, as_json: bool) -> int:
    from ui.errors import problem, translate

    known = translate(error)
    if known is None:
        path = _recorded(error)
        where = f"The details are in {path}." if path else "The details could not be written down."
        known = PilothouseError(f"Something went wrong ({type(error).__name__}).", hint=where)
    if as_json:
        from ui.console import print_json

        status = "needs_approval" if isinstance(known, NeedsApproval) else "failed"
        approval = known.approval if isinstance(known, NeedsApproval) else None
        print_json({"status": status, "error": problem(known), "approval": approval})
    else:
        print(f"pilothouse: {known}", file=sys.stderr)
    return known.exit_code


def _recorded(error: Exception) -> Path | None:
    """Write the traceback to the home's log; None if that cannot be done either."""
    from ui.home import HomeFiles

    try:
        files = HomeFiles()
        files.commands_log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        text = "".join(traceback.format_exception(error))
        with files.commands_log.open("a") as log:
            log.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {sys.argv[1:2]}\n{text}\n")
    except OSError:
        return None
    return files.commands_log
