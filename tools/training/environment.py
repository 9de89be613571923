"""What a training ran on and with: code version, packages, processor; to repeat it elsewhere."""

from __future__ import annotations

import os
import platform
import subprocess
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, distributions, version
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]


@lru_cache(maxsize=1)
def code_version() -> str:
    """The package's version; from a checkout the commit, and whether the code differs from it."""
    try:
        known = version("pilothouse")
    except PackageNotFoundError:
        known = "unknown"
    commit = code_commit()
    if not commit:
        return known
    changed = ", with changes that are not committed" if _differs() else ""
    return f"{known} ({commit[:12]}{changed})"


@lru_cache(maxsize=1)
def code_commit() -> str:
    """The commit of the checkout this runs from; empty if it runs from none."""
    return _git("rev-parse", "HEAD")


def _differs() -> bool:
    """Whether files of the checkout that this runs from were changed, added or removed since."""
    return bool(_git("status", "--porcelain", "--", "*.py", "*.toml", "*.json", "*.npz", "*.lock"))


def _git(*arguments: str) -> str:
    """What git says of the checkout; empty if there is none."""
    if not (_ROOT / ".git").exists():
        return ""
    try:
        found = subprocess.run(
            ["git", "-C", str(_ROOT), *arguments],
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return found.stdout.strip()


def environment() -> dict[str, object]:
    """Python, platform, processors and every installed package with its version."""
    packages = {d.metadata["Name"]: d.version for d in distributions()}
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "processors": os.cpu_count(),
        "code": code_version(),
        "packages": dict(sorted(packages.items(), key=lambda item: item[0].casefold())),
    }
