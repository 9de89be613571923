"""The child processes of the tests: each does what its spec says."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tools.kernel import errors
from tools.kernel.child import child_main, emit
from tools.kernel.stillness import alone


def run(spec: dict[str, Any]) -> dict[str, Any]:
    what = spec["do"]
    if what == "work":
        emit(progress=0.5, message="half", metrics={"loss": 0.25})
        return {"threads": os.environ["OMP_NUM_THREADS"], "home": os.environ["PILOTHOUSE_HOME"]}
    if what == "environment":
        return dict(os.environ)
    if what == "fail":
        raise getattr(errors, spec["kind"])("It failed.", hint="Try again.", suggestions=["b"])
    if what == "crash":
        raise RuntimeError("a bug")
    if what == "exit":
        os._exit(spec["code"])
    if what == "garbage":
        garbage()
        return {"fine": True}
    if what == "crash at the end":
        emit(result={"fine": True})
        os._exit(139)
    if what == "hang":
        hang(Path(spec["pids"]), stubborn=spec.get("stubborn", False))
    if what == "slow":
        Path(spec["pids"]).write_text(str(os.getpid()))
        time.sleep(spec["seconds"])
    if what == "step":
        step(Path(spec["steps"]), Path(spec["stop"]))
    if what == "measure":
        return measure(Path(spec["steps"]), Path(spec["stop"]))
    return {}


def step(steps: Path, stop: Path) -> None:
    while not stop.exists():
        with steps.open("a") as file:
            file.write(".")
        emit(progress=0.5)


def measure(steps: Path, stop: Path) -> dict[str, Any]:
    with alone() as found:
        before = steps.stat().st_size
        time.sleep(0.3)
        after = steps.stat().st_size
    stop.touch()
    return {"alone": found.alone, "steps": after - before}


def garbage() -> None:
    out = sys.stdout
    out.write("a library says hello\n{not json}\n[1, 2]\n42\nnull\n\n")
    out.write('{"progress": "much"}\n{"progress": NaN}\n{"error": "no object"}\n{"other": 1}\n')
    out.write('{"progress": 0.2, "message": 7, "metrics": {"fraction": 1, "x": "y", "ok": 2}}\n')
    out.write('{"progress": 0.3, "metrics": [1]}\n' + "[" * 100_000 + "\n")
    out.flush()
    out.buffer.write(b"\xff\xfe\x00 no text\n")
    out.buffer.flush()
    os.write(1, b'{"error": {"code": "conflict", "message": "from a native library"}}\n')
    out.write("without an end of line")


def hang(pids: Path, stubborn: bool) -> None:
    if stubborn:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    pids.with_suffix(".new").write_text(f"{os.getpid()} {grandchild.pid}")
    pids.with_suffix(".new").rename(pids)
    emit(progress=0.1, message="hanging")
    time.sleep(600)


if __name__ == "__main__":
    child_main(run)
