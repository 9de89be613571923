"""Names are found as people write them, from a snapshot that follows every change."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.kernel import entities
from tools.kernel.entities import (
    EntityKind,
    EntityName,
    fold,
    nearest,
    parse_model_reference,
)
from tools.kernel.errors import NotFound

DATASET, MODEL, VERSION = EntityKind.DATASET, EntityKind.MODEL, EntityKind.MODEL_VERSION


@pytest.fixture
def listed(lab, monkeypatch):
    """The names of datasets are what the test puts here; counts how often they are loaded."""
    found, loads = [], []

    def load(kernel, tenant):
        loads.append(tenant)
        return [EntityName(f"{tenant}-{n}") if isinstance(n, str) else n for n in found]

    monkeypatch.setitem(entities._LOADERS, DATASET, load)
    return found, loads


@pytest.mark.parametrize("written", ["week-31", "Week 31", "WEEK_31", "  the week 31", "last week"])
def test_case_spaces_dashes_underscores_and_articles_are_bridged(lab, written):
    assert lab.catalogue.resolve(DATASET, written, "default") == "week-31"


@pytest.mark.parametrize("written", ["tikets", "ticket", "week", "tickets2", "", " ", "-"])
def test_a_misspelling_is_never_bridged(lab, written):
    with pytest.raises(NotFound):
        lab.catalogue.resolve(DATASET, written, "default")


def test_the_nearest_names_are_suggested(lab):
    with pytest.raises(NotFound) as error:
        lab.catalogue.resolve(DATASET, "tikkets", "default")
    assert error.value.suggestions == ("tickets",)


def test_without_any_name_the_answer_says_so(lab):
    with pytest.raises(NotFound, match="No device exists yet"):
        lab.catalogue.resolve(EntityKind.DEVICE, "phone", "default")


def test_a_name_as_it_is_written_goes_before_one_that_only_resembles_it(lab, listed):
    found, _ = listed
    found += [EntityName("a-b"), EntityName("a_b"), EntityName("c", also=("a b",))]
    assert lab.catalogue.resolve(DATASET, "a_b", "default") == "a_b"
    assert lab.catalogue.resolve(DATASET, "a-b", "default") == "a-b"


def test_a_name_that_can_mean_two_things_is_asked_back(lab, listed):
    found, _ = listed
    found += [EntityName("a-b"), EntityName("a_b")]
    with pytest.raises(NotFound, match="more than one dataset") as error:
        lab.catalogue.resolve(DATASET, "A B", "default")
    assert error.value.suggestions == ("a-b", "a_b")


def test_another_spelling_does_not_hide_a_name(lab, listed):
    found, _ = listed
    found += [EntityName("x", also=("y",)), EntityName("Y")]
    assert lab.catalogue.resolve(DATASET, "y", "default") == "Y"


def test_a_version_is_found_within_its_model_only(lab):
    resolve = lab.catalogue.resolve
    assert resolve(VERSION, "challenger", "default", of="ticket-router") == "3"
    with pytest.raises(NotFound, match="of 'Spam 2'"):
        resolve(VERSION, "challenger", "default", of="Spam 2")


@pytest.mark.parametrize("written", ["-1", "- 3.", "1.0", "0x1"])
def test_a_number_is_not_bent_into_a_version(lab, written):
    with pytest.raises(NotFound):
        lab.catalogue.resolve(VERSION, written, "default", of="ticket-router")


def test_names_are_loaded_once_and_anew_after_a_change(lab, listed):
    found, loads = listed
    found.append("one")
    for _ in range(3):
        assert [e.name for e in lab.catalogue.names(DATASET, "t1")] == ["t1-one"]
    assert loads == ["t1"]
    found.append("two")
    lab.catalogue.changed()
    assert lab.catalogue.resolve(DATASET, "t1-two", "t1") == "t1-two"
    assert loads == ["t1", "t1"]


def test_every_tenant_has_names_of_its_own(lab, listed):
    found, _ = listed
    found.append("one")
    with pytest.raises(NotFound):
        lab.catalogue.resolve(DATASET, "t1-one", "t2")


def test_a_change_while_names_are_loaded_is_not_lost(lab, listed, monkeypatch):
    found, _ = listed
    load = entities._LOADERS[DATASET]

    def changed_meanwhile(kernel, tenant):
        before = list(load(kernel, tenant))
        found.append("late")
        kernel.catalogue.changed()
        monkeypatch.setitem(entities._LOADERS, DATASET, load)
        return before

    monkeypatch.setitem(entities._LOADERS, DATASET, changed_meanwhile)
    lab.catalogue.names(DATASET, "t")
    assert [e.name for e in lab.catalogue.names(DATASET, "t")] == ["t-late"]


def test_a_name_is_found_among_200_000_without_a_scan(lab, listed):
    found, _ = listed
    found += [EntityName(f"data set {n}", also=(f"alias {n}",)) for n in range(200_000)]
    lab.catalogue.resolve(DATASET, "data-set-7", "t")  # the index is built
    began = time.process_time()
    for n in range(0, 200_000, 200):
        assert lab.catalogue.resolve(DATASET, f"Data_Set {n}", "t") == f"data set {n}"
        assert lab.catalogue.resolve(DATASET, f"alias{n}", "t") == f"data set {n}"
    assert time.process_time() - began < 0.5, "2,000 look-ups"


@given(st.text(max_size=30))
def test_folding_is_stable(name):
    assert fold(fold(name)) == fold(name) or fold(name).startswith("the")
    assert fold(name.upper()) == fold(name.upper().casefold())


@given(st.lists(st.text(alphabet="abc-_ 1", min_size=1, max_size=8), max_size=8), st.text())
def test_the_nearest_are_among_the_known(known, written):
    assert set(nearest(written, known)) <= set(known)


NAMES = st.from_regex(r"[a-z]{2,8}([-_][a-z]{1,8}){0,2}", fullmatch=True).filter(
    lambda name: name not in ("version",)
)


@given(NAMES, st.integers(0, 10**8), st.sampled_from([" v", "/", ":", " version ", "@", "@v", " "]))
def test_a_version_reference_is_split(name, version, between):
    reference = parse_model_reference(f"{name}{between}{version}")
    assert (reference.name, reference.version, reference.alias) == (name, version, None)


@given(NAMES, st.sampled_from(["champion", "challenger", "staging", "Canary-1"]))
def test_an_alias_reference_is_split(name, alias):
    reference = parse_model_reference(f" {name} @ {alias} ")
    assert (reference.name, reference.version, reference.alias) == (name, None, alias.lower())


@given(st.text(max_size=60))
def test_any_text_is_a_reference_of_some_kind(text):
    reference = parse_model_reference(text)
    assert reference.version is None or reference.version >= 0
