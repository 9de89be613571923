"""The child that computes on the cluster: `python -m tools.training.cluster.driver spec.json`.

To its job it is a computing process like any other: it prints the same events and writes the same
files. What computes is an actor on some host, which gets base model, data and checkpoint as bytes
and sends events, checkpoints and results back; or several, of which the first one speaks. When a
host is lost, the next attempt goes on from the last checkpoint. When a signal ends a process, the
driver says so and ends: what becomes of it is decided as on one machine, by who started the driver.
"""

from __future__ import annotations

import signal
import sys
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

from tools.kernel.child import child_main, emit, raised
from tools.kernel.errors import OperationFailed, Unavailable
from tools.kernel.stillness import quit_computing
from tools.training.cluster.connecting import connect
from tools.training.cluster.parcels import delivered, packed
from tools.training.cluster.placing import KILLED
from tools.training.cluster.worker import News, Order, Worker

_MOST_LOSSES = 5
_ANSWER_SECONDS = 300.0
_WAIT_SECONDS = 1.0
_CLOSE_SECONDS = 2.0


class Lost(Exception):
    """A host of the computation went away, or a process of several that need each other."""


class Remote:
    """One attempt at a computation: its actors and what was heard of them.

    Args:
        ray: the module, connected.
        order: what the driver was told.
        parcels: references to the base model and the data, in the cluster's object store.
        done: the share that an earlier attempt had told.

    Attributes:
        done: the share that was told last.
    """

    def __init__(
        self, ray: Any, order: dict[str, Any], parcels: list[Any], done: float = 0.0
    ) -> None:
        self.done = done
        self._ray = ray
        self._order = order
        self._spec: dict[str, Any] = order["spec"]
        self._parcels = parcels
        self._asked: set[str] = set()
        self._outcome: dict[str, Any] = {}
        self._size = max(1, min(order["workers"], self._room()))
        self._codes: list[int | None] = [None] * self._size
        self._hosts = [""] * self._size
        parts = [{"CPU": order["threads"]}] * self._size
        # All of them or none: two computations must not each wait for what the other holds.
        self._places = ray.util.placement_group(parts, strategy="SPREAD")
        self._actors = self._placed_actors()

    def _placed_actors(self) -> list[Any]:
        ray = self._ray
        among = ray.util.scheduling_strategies.PlacementGroupSchedulingStrategy(self._places)
        kind = ray.remote(num_cpus=self._order["threads"], max_restarts=0)(Worker)
        actor = kind.options(scheduling_strategy=among)
        return [actor.remote() for _ in range(self._size)]

    def _room(self) -> int:
        """How many processes the cluster could hold if it did nothing else."""
        alive = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        return sum(int(has.get("CPU", 0) // self._order["threads"]) for has in alive)

    def result(self) -> dict[str, Any]:
        """Follow the computation to its end and fetch what it made.

        Returns:
            The result; `killed` (a signal's number) and `host` if a signal ended a process before.

        Raises:
            Lost: if its host is gone.
            PilothouseError: what the computation reported.
        """
        self._begin()
        while self._codes[0] is None and not self._killed():
            self._look()
        if "error" in self._outcome:
            raise raised(self._outcome["error"])
        if "result" not in self._outcome:
            return self._unfinished()
        parcel = self._call(self._actors[0].results.remote())
        delivered(parcel, Path(self._spec["output"]).parent)
        return self._outcome["result"]

    def close(self) -> None:
        """End the actors, and have them tidy up if they still answer."""
        closing = [actor.close.remote() for actor in self._actors]
        self._ray.wait(closing, num_returns=self._size, timeout=_CLOSE_SECONDS)
        self._ray.util.remove_placement_group(self._places)  # ends what runs there

    def _look(self) -> None:
        signals = self._signals()
        news = self._call([actor.look.remote(signals) for actor in self._actors])
        self._take(news[0])
        for rank, each in enumerate(news):
            sys.stderr.write(each.log.decode(errors="replace"))
            if each.code is not None:
                self._codes[rank] = each.code

    def _killed(self) -> list[dict[str, Any]]:
        """The processes that signals ended."""
        ended = zip(self._codes, self._hosts, strict=True)
        return [{KILLED: -code, "host": host} for code, host in ended if code and code < 0]

    def _unfinished(self) -> dict[str, Any]:
        """What to answer when there is no result."""
        if None in self._codes:
            self._look()  # whose end made the first one end, and a checkpoint not fetched yet
        if killed := self._killed():
            return killed[0]
        if self._size > 1:
            raise Lost  # who misses another ends without a word
        raise OperationFailed(
            f"The computing process on the cluster ended with code {self._codes[0]} and no result."
        )

    def _begin(self) -> None:
        checkpoint = Path(self._spec["checkpoint"])
        kept = checkpoint.read_bytes() if checkpoint.is_file() else None
        met = self._placed()
        self._hosts = [place.rpartition(":")[0] for place in met]
        module, threads = self._order["module"], self._order["threads"]
        begun: list[Any] = []
        for rank, actor in enumerate(self._actors):
            group = {"rank": rank, "size": self._size, "meeting": met[0]}
            spec = {**self._spec, "group": group} if self._size > 1 else self._spec
            order = Order(module, spec, threads, kept)
            begun.append(actor.begin.remote(order, *self._parcels))
        self._call(begun)

    def _placed(self) -> list[str]:
        """Wait until every actor has its place; where the process of each can be met."""
        met = [actor.meeting.remote() for actor in self._actors]
        while self._ray.wait(met, num_returns=self._size, timeout=_WAIT_SECONDS)[1]:
            if 1 < self._size > self._room():
                raise Lost  # it was counted before the cluster knew that it was gone
            emit(progress=self.done, message="waiting for a worker of the cluster")
        return self._call(met)

    def _call(self, reference: Any) -> Any:
        exceptions = self._ray.exceptions
        try:
            return self._ray.get(reference, timeout=_ANSWER_SECONDS)
        except exceptions.RayActorError as error:
            if error.actor_init_failed:
                raise Unavailable(
                    f"A worker of the cluster cannot run Pilothouse: {_last_line(error)}",
                    hint="Install this version of it, from the same lock, on every host.",
                ) from error
            raise Lost from error
        except exceptions.RayTaskError as error:
            raise Unavailable(
                f"A worker of the cluster could not do its part: {_last_line(error)}",
                hint="See whether its host has room for the base model, the data and the results.",
            ) from error
        except (exceptions.GetTimeoutError, exceptions.ObjectLostError) as error:
            raise Lost from error

    def _take(self, news: News) -> None:
        if news.checkpoint is not None:
            path = Path(self._spec["checkpoint"])
            staged = path.with_suffix(".fetched")
            staged.write_bytes(news.checkpoint)
            staged.replace(path)
        for event in news.events:
            if "result" in event or "error" in event:
                self._outcome = event
                continue
            if "epoch" in event:
                self._expect_answer(f"epoch-{event['epoch']}")
            self.done = max(self.done, event.get("progress", 0.0))
            emit(**event)

    def _expect_answer(self, name: str) -> None:
        (Path(self._spec["answers"]) / name).unlink(missing_ok=True)  # of an earlier attempt
        self._asked.add(name)

    def _signals(self) -> dict[str, str]:
        """What the job says to the process: a wish to pause, and answers to its questions."""
        pause = self._spec.get("pause")
        found = {"pause": "asked"} if pause and Path(pause).exists() else {}
        for name in sorted(self._asked):
            with suppress(FileNotFoundError):
                if text := (Path(self._spec["answers"]) / name).read_text():
                    found[name] = text
        self._asked -= found.keys()
        return found


def run(order: dict[str, Any]) -> dict[str, Any]:
    """Compute on the cluster; lost hosts are survived.

    Args:
        order: `address`, `module`, `spec`, `threads` and `workers`.

    Returns:
        The computing process's result; `killed` and `host` if a signal ended it.

    Raises:
        Unavailable: if no cluster answers.
        PilothouseError: what the computation reported, or `OperationFailed` after many losses.
    """
    quit_computing()
    ray = connect(order["address"])
    signal.signal(signal.SIGTERM, _leave)
    spec = order["spec"]
    parcels = [ray.put(packed(Path(spec[name]))) for name in ("base_folder", "data")]
    done = 0.0
    for _ in range(_MOST_LOSSES):
        remote = Remote(ray, order, parcels, done)
        try:
            return remote.result()
        except Lost:
            done = remote.done
            emit(progress=done, message="a worker was lost; another goes on from the checkpoint")
        finally:
            remote.close()
    raise OperationFailed(
        f"{_MOST_LOSSES} workers of the cluster were lost one after another.",
        hint="See whether they have enough memory; then start it again.",
    )


def _leave(number: int, frame: FrameType | None) -> None:
    """Cancelled: leave by way of what tidies up."""
    sys.exit(128 + number)


def _last_line(error: Exception) -> str:
    return str(error).strip().rpartition("\n")[2]


if __name__ == "__main__":
    child_main(run)
