"""Events wake who waits, are resumed after an id, and stay within their tenant."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from tools.kernel.events import Events
from tools.kernel.storage import Database


def test_who_waits_is_woken_by_what_is_published(lab):
    reading = threading.Event()
    read = lab.events.read

    def noticed(*args, **more):
        found = read(*args, **more)
        reading.set()
        return found

    lab.events.read = noticed
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(lab.events.wait, "job:1", 0, 30)
        reading.wait(10)
        began = time.monotonic()
        lab.events.publish("job:1", "job.progress", {"n": 1})
        found = waiting.result(20)
    assert [e.data for e in found] == [{"n": 1}]
    assert time.monotonic() - began < 5


def test_what_was_published_before_is_found_at_once(lab):
    lab.events.publish("t", "k", {})
    assert len(lab.events.wait("t", 0, 0)) == 1


def test_waiting_ends_with_nothing_when_nothing_comes(lab):
    lab.events.publish("another topic", "k", {})
    assert lab.events.wait("t", 0, 0.05) == []


def test_reading_is_resumed_after_an_id(lab):
    ids = [lab.events.publish("t", "k", {"n": n}) for n in range(5)]
    assert ids == sorted(ids)
    assert [e.data["n"] for e in lab.events.read("t", after=ids[2])] == [3, 4]
    assert [e.data["n"] for e in lab.events.read("t", limit=2)] == [0, 1]


def test_a_tenants_events_are_its_own(lab):
    lab.events.publish("approvals", "k", {"of": "default"})
    lab.events.publish("approvals", "k", {"of": "other"}, "other")
    assert [e.data["of"] for e in lab.events.read("approvals", tenant="other")] == ["other"]
    assert [e.data["of"] for e in lab.events.wait("approvals", tenant="other")] == ["other"]
    assert len(lab.events.read("approvals")) == 2


def test_what_another_process_publishes_is_seen_within_two_seconds(lab):
    another = Events(Database(lab.settings.database))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(lab.events.wait, "t", 0, 30)
        another.publish("t", "k", {})
        assert len(waiting.result(10)) == 1


def test_no_event_is_lost_or_doubled_between_many_writers_and_a_reader(lab):
    def write(_):
        for _ in range(25):
            lab.events.publish("t", "k", {})

    seen, after = [], 0
    with ThreadPoolExecutor(5) as pool:
        writers = [pool.submit(write, n) for n in range(4)]
        while len(seen) < 100:
            found = lab.events.wait("t", after, 10)
            assert found, [w.exception() for w in writers if w.done()]
            seen += [e.id for e in found]
            after = seen[-1]
    assert seen == sorted(set(seen))
    assert lab.events.wait("t", after, 0) == []
