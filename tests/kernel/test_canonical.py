"""Equal values have equal digests, and different ones different."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from tools.kernel.approvals import call_digest
from tools.kernel.canonical import canonical, digest
from tools.kernel.identity import Principal, RequestContext, Role

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), VALUES))
def test_the_order_of_keys_does_not_matter(value):
    other = dict(reversed(value.items()))
    assert digest(value) == digest(other)


@given(VALUES, VALUES)
def test_different_values_have_different_digests(one, other):
    assert (digest(one) == digest(other)) == (canonical(one) == canonical(other))


@given(VALUES)
def test_what_was_stored_as_json_and_read_again_has_the_same_digest(value):
    assert digest(json.loads(json.dumps(value))) == digest(value)


ARGUMENTS = st.dictionaries(st.text(max_size=5), st.text(max_size=5) | st.integers(), max_size=3)


@given(ARGUMENTS, ARGUMENTS, st.text(max_size=6), st.text(max_size=6))
def test_an_approvals_digest_tells_calls_apart(one, other, who, plan):
    def bound(arguments, who="w", plan=None):
        principal = Principal(who, frozenset(Role))
        return call_digest("lab.wipe", arguments, RequestContext(principal, plan=plan))

    assert (bound(one) == bound(other)) == (canonical(one) == canonical(other))
    assert (bound(one, who=who) == bound(one)) == (who == "w")
    assert bound(one, plan=plan) != bound(one)
