"""A platform process that the tests kill: `python -m tests.kernel.crashing HOME OPERATION`."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from tools.kernel.identity import RequestContext
from tools.kernel.kernel import Kernel
from tools.kernel.operations import Args, Call, Effect, Evidence, Operation, OperationSet, Result
from tools.kernel.settings import Settings


class Nothing(Args):
    pass


class Done(Result):
    lines: list[str]


def log(call: Call) -> Path:
    return call.kernel.settings.home / "steps.log"


def note(call: Call, line: str) -> str:
    with log(call).open("a") as file:
        file.write(line + "\n")
    return line


def middle(call: Call, text: str = "IN THE MIDDLE") -> str:
    note(call, "middle begun")
    if not (call.kernel.settings.home / "go").exists():
        print(text, flush=True)
        while not (call.kernel.settings.home / "go").exists():
            call.running.check_cancelled()
            threading.Event().wait(0.05)
    return note(call, "middle done")


def steps(args: Nothing, call: Call) -> Done:
    """Three steps; the process is killed in the middle one."""
    call.running.step("first", note, call, "first")
    call.running.progress(0.3, "first done")
    call.running.step("middle", middle, call)
    call.running.step("last", note, call, "last")
    return Done(lines=log(call).read_text().split("\n")[:-1])


def computing(args: Nothing, call: Call) -> Done:
    """A child computes; the process is killed meanwhile."""

    def compute() -> str:
        if (call.kernel.settings.home / "go").exists():
            return note(call, "computed")
        pids = call.kernel.settings.home / "pids"
        spec = {"do": "hang", "pids": str(pids)}
        call.running.child(
            "tests.kernel.children",
            spec,
            on_event=lambda event: print("IN THE MIDDLE", flush=True),
        )
        return ""

    call.running.step("compute", compute)
    return Done(lines=log(call).read_text().split("\n")[:-1])


def unfinished(args: Nothing, call: Call) -> Done:
    """The operation returns, and the process is killed before its end is stored."""
    call.running.step("first", note, call, "first")
    if not (call.kernel.settings.home / "go").exists():
        from tools.kernel import job_engine

        def killed(*args: object) -> None:
            print("IN THE MIDDLE", flush=True)
            threading.Event().wait()

        job_engine.complete = killed
    return Done(lines=["first"])


def noticed(args: Nothing, call: Call) -> Done:
    """All is stored, and the process is killed before the engine knows."""
    call.running.step("first", note, call, "first")
    if not (call.kernel.settings.home / "go").exists():
        from tools.kernel import job_engine

        stored = job_engine.complete

        def killed(*args: object) -> None:
            stored(*args)  # pyright: ignore[reportArgumentType]
            print("IN THE MIDDLE", flush=True)
            threading.Event().wait()

        job_engine.complete = killed
    return Done(lines=["first"])


def evidence(args: Nothing, result: Done, call: Call) -> list[Evidence]:
    return [Evidence(fact="lines", value=len(log(call).read_text().split("\n")), source="log")]


def operations() -> OperationSet:
    found = OperationSet()
    for function in (steps, computing, unfinished, noticed):
        name = f"crash.{function.__name__}"
        hooks = {"read_back": evidence}
        found.add(Operation(name, Effect.WRITE, Nothing, Done, function, (), job=True, hooks=hooks))
    return found


def main(home: str, operation: str) -> None:
    kernel = Kernel(Settings(home=Path(home)), operations())
    kernel.start()
    owner = RequestContext(kernel.principals.local())
    outcome = kernel.gate.call(operation, {}, owner, idempotency_key="the call")
    kernel.jobs.wait(outcome.job or 0, 600)


if __name__ == "__main__":
    main(*sys.argv[1:])
