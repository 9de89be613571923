"""What must be true after each sentence, read back from the platform and from the devices."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from scripts.demo.fleet import BRISK, CALM, GROUP, Fleet, Traffic
from tools.kernel.errors import PilothouseError
from ui.client import Client
from ui.turn import Turn

Json = dict[str, Any]
SERVED = 15
WAIT_SECONDS = 20.0


class CheckFailed(Exception):
    """Something that must be true is not."""


class Checks:
    """The demo's assertions; each good one is a line that a person can read.

    Args:
        client: the platform.
        fleet: the devices.
        traffic: the tickets being sent to them.
        say: told what was found to be true.
    """

    def __init__(
        self, client: Client, fleet: Fleet, traffic: Traffic, say: Callable[[str], None]
    ) -> None:
        self._client = client
        self._fleet = fleet
        self._traffic = traffic
        self._say = say
        self.former = 0
        self.fresh = 0

    def prepared(self, version: int) -> None:
        """All devices answer with the former model."""
        self.former = version
        self._until(lambda: all(v == {version} for v in self._fleet.versions().values()))
        self.busier()
        self._served_by({device.name: version for device in self._fleet.devices})
        self._traffic.pause = CALM  # the training that follows shares these cores

    def busier(self) -> None:
        """Send more tickets: what follows must not lose one."""
        self._traffic.pause = BRISK

    def trained(self, turn: Turn) -> None:
        """Loss went down; accuracy on unseen tickets is above both baselines."""
        trained, measured = _result(turn, "training.start"), _result(turn, "evaluation.run")
        job = self._client.get(f"/api/v1/jobs/{trained['job']}")
        self._require(job["status"] == "done", f"job {job['job']} is done", job["status"])
        before, after = job["result"]["initial_loss"], job["result"]["final_loss"]
        self._require(after < before, f"validation loss went down: {before:.2f} → {after:.2f}")
        accuracy, majority = measured["accuracy"], measured["baseline_majority"]
        untrained = measured["baseline_untrained"]
        self._require(measured["split"] == "test", "measured on the test split", measured["split"])
        self._require(
            accuracy > max(majority, untrained),
            f"accuracy {accuracy:.1%} on {measured['rows']} tickets it has not seen, against"
            f" {untrained:.1%} untrained and {majority:.1%} for the commonest class",
        )

    def registered(self, turn: Turn) -> None:
        """The registry's alias points at the new version."""
        made = _result(turn, "registry.register")
        self.fresh = int(made["version"])
        self._require(self.fresh > self.former, f"v{self.fresh} follows v{self.former}")
        described = self._read("registry.describe", model=made["model"])
        aliases = described["aliases"]
        self._require(
            aliases.get("challenger") == self.fresh, f"challenger is v{self.fresh}", aliases
        )
        self._require(aliases.get("champion") == self.former, f"champion is still v{self.former}")

    def rolled_out(self, turn: Turn) -> None:
        """A canary, and only it, answers with the new version, by its own word and answers."""
        _result(turn, "deployment.start")
        versions = self._fleet.versions()
        canary = [name for name, served in versions.items() if served == {self.fresh}]
        rest = [name for name, served in versions.items() if served == {self.former}]
        self._require(
            0 < len(canary) < len(versions) and len(canary) + len(rest) == len(versions),
            f"{', '.join(canary)} says it serves v{self.fresh}, {', '.join(rest)} v{self.former}",
            versions,
        )
        self._served_by({**dict.fromkeys(canary, self.fresh), **dict.fromkeys(rest, self.former)})

    def rolled_back(self, turn: Turn) -> None:
        """Every device serves the former version again."""
        _result(turn, "deployment.rollback")
        versions = self._fleet.versions()
        self._require(
            all(served == {self.former} for served in versions.values()),
            f"all {len(versions)} devices say that they serve v{self.former}",
            versions,
        )
        self._served_by({name: self.former for name in versions})
        status = self._read("deployment.status", group=GROUP)["groups"][0]
        confirmed = [d["device"] for d in status["devices"] if d["confirmed"]]
        told = f"the platform has the report of {len(confirmed)} devices"
        self._require(len(confirmed) == len(versions), told, status["devices"])

    def answered(self, turn: Turn) -> None:
        """Each citation is, character for character, a passage of its document."""
        answer = _result(turn, "knowledge.ask")
        self._require(bool(answer["answered"]), "the documents hold the answer", answer["text"])
        citations: list[Json] = answer["citations"]
        used = set(re.findall(r"\[(\d+)\]", answer["text"]))
        numbered = {str(c["number"]) for c in citations}
        self._require(bool(used) and used == numbered, f"{len(used)} citations, all of them listed")
        paths = {s["name"]: s["path"] for s in self._read("knowledge.sources")["sources"]}
        for citation in citations:
            text = Path(paths[citation["source"]]).read_text(encoding="utf-8")
            quoted = text[citation["start"] : citation["end"]]
            if not quoted or quoted != citation["quote"]:
                raise CheckFailed(f"[{citation['number']}] does not resolve to its passage")
        sources = ", ".join(sorted({c["source"] for c in citations}))
        self._say(f"every citation resolves, word for word, to its passage in {sources}")

    def reported(self, turn: Turn) -> None:
        """Each figure names records that exist, and stands in the text with its footnote."""
        report = _result(turn, "reporting.summary")
        figures: list[Json] = report["figures"]
        self._require(not report["empty"] and bool(figures), f"{len(figures)} figures")
        text: str = report["markdown"]
        for figure in figures:
            where = f"{figure['label']} ({figure['shown']})"
            if not figure["source"]:
                raise CheckFailed(f"{where} names no source")
            if figure["shown"] not in text:
                raise CheckFailed(f"{where} does not stand in the report")
            for source in figure["source"]:
                self._resolves(source, where)
        self._require(report["words"] <= 600, f"one page: {report['words']} words")
        self._say("every figure names the runs, jobs, rollouts or settings it is computed from")

    def _resolves(self, source: str, where: str) -> None:
        kind, _, name = source.partition(" ")
        paths = {"job": "/api/v1/jobs/", "receipt": "/api/v1/receipts/"}
        if kind in paths and re.fullmatch(r"R?\d+", name):
            try:
                self._client.get(paths[kind] + name)
            except PilothouseError as error:
                raise CheckFailed(f"{where} names {source}: {error}") from error

    def served(self) -> None:
        """No ticket was lost while models were swapped."""
        lost = self._traffic.failures
        total = self._traffic.total()
        self._require(not lost, f"{total} tickets answered by the devices, none lost", lost[:3])

    def _served_by(self, expected: dict[str, int]) -> None:
        """Wait for enough fresh answers from every device, all of the expected version."""
        before, since = (
            self._traffic.snapshot(),
            self._traffic.snapshot() - self._traffic.snapshot(),
        )

        def enough() -> bool:
            nonlocal since
            since = self._traffic.since(before)
            return all(since[name, version] >= SERVED for name, version in expected.items())

        self._until(enough)
        strange = {k: n for k, n in since.items() if expected.get(k[0]) != k[1] and n > 1}
        told = ", ".join(f"{d} v{v}: {since[d, v]}" for d, v in sorted(expected.items()))
        self._require(not strange, f"tickets answered just now: {told}", strange)

    def _read(self, operation: str, **arguments: Any) -> Json:
        return self._client.call(operation, arguments)["result"]

    def _until(self, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + WAIT_SECONDS
        while not holds() and time.monotonic() < deadline:
            time.sleep(0.1)

    def _require(self, holds: bool, told: str, found: Any = None) -> None:
        if not holds:
            raise CheckFailed(f"not true: {told}" + (f" (found {found!r})" if found else ""))
        self._say(told)


def _result(turn: Turn, operation: str) -> Json:
    steps = {s["id"]: s["operation"] for s in (turn.plan or {}).get("steps", [])}
    for step, result in turn.results.items():
        if steps.get(step) == operation:
            return result
    raise CheckFailed(f"{operation} was not carried out (steps: {', '.join(steps.values())})")
