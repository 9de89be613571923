"""Words are matched by stem and compound; rankings are fused by rank."""

from __future__ import annotations

from tools.knowledge.ranking import Bm25, fuse, stem, tokens

TEXTS = ["Rollback of a model", "Rolling back takes minutes", "The canteen opens at noon"]


def test_forms_of_a_word_share_a_stem() -> None:
    assert len({stem(w) for w in ("quantised", "quantisation", "quantising", "quantized")}) == 1
    assert len({stem(w) for w in ("enrol", "enrolling", "enrolment", "enrolled")}) == 1
    assert len({stem(w) for w in ("policy", "policies")}) == 1


def test_common_words_are_left_out() -> None:
    assert tokens("What is the canteen?") == ["canteen"]


def test_two_words_match_their_compound_and_back() -> None:
    index = Bm25(TEXTS)
    assert {n for n, _ in index.rank("roll back")} == {0, 1}
    assert {n for n, _ in index.rank("rollbacks")} == {0, 1}


def test_coverage_is_one_for_the_text_itself_and_zero_for_strangers() -> None:
    index = Bm25(TEXTS)
    assert index.coverage("canteen noon", TEXTS[2]) == 1.0
    assert index.coverage("rolling back", TEXTS[0]) == 1.0
    assert index.coverage("penguin", TEXTS[2]) == 0.0
    assert index.coverage("", TEXTS[2]) == 0.0


def test_a_rare_word_weighs_more() -> None:
    index = Bm25(["fleet report", "fleet canary", "fleet budget"])
    assert index.rank("fleet canary")[0][0] == 1


def test_fusion_prefers_what_both_rankings_have() -> None:
    assert fuse([["a", "b", "c"], ["b", "d"]])[0][0] == "b"
    assert fuse([[], []]) == []


def test_an_empty_collection_ranks_nothing() -> None:
    assert Bm25([]).rank("anything") == []
