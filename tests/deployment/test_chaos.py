"""A small seeded run of random faults against a platform process and real devices."""

from __future__ import annotations

import pytest

from benchmarks.chaos import KEYS, run


@pytest.mark.slow
def test_no_fault_bricks_a_device_sticks_a_rollout_or_loses_a_decision() -> None:
    found = run(faults=20, seed=7, devices=2)
    assert {key: found[key] for key in KEYS} == dict.fromkeys(KEYS, 0), found["details"]
    assert sum(found["kinds"].values()) == 20 and found["decisions"] > 3
