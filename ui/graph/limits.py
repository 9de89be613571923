"""How deep and how costly a query may be, judged before any of it is run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    ValidationContext,
    ValidationRule,
    VariableNode,
)

DEEPEST = 10
COSTLIEST = 100_000
PAGE = 10
"""How many items a list gives when no `limit` is given."""
LONGEST_PAGE = 100
MANY_FRAGMENTS = 50


def limits(variables: Mapping[str, Any]) -> type[ValidationRule]:
    """The rule for a query with these variables.

    A field costs one, and what is below a list counts as often as the list's `limit` says.
    """

    class Limits(ValidationRule):
        def __init__(self, context: ValidationContext) -> None:
            super().__init__(context)
            definitions = context.document.definitions
            fragments = {
                d.name.value: d for d in definitions if isinstance(d, FragmentDefinitionNode)
            }
            counter = _Counter(fragments, variables)
            for definition in definitions:
                if isinstance(definition, OperationDefinitionNode):
                    self._judge(counter, definition)

        def _judge(self, counter: _Counter, operation: OperationDefinitionNode) -> None:
            try:
                cost = counter.cost(operation.selection_set, 1, frozenset())
            except _TooMuch as much:
                self.report_error(GraphQLError(str(much), operation))
                return
            if cost > COSTLIEST:
                told = f"This query costs {cost}; at most {COSTLIEST} is allowed. Ask for less."
                self.report_error(GraphQLError(told, operation))

    return Limits


class _TooMuch(Exception):
    """The query is over a limit already; the message says over which."""


class _Counter:
    def __init__(
        self, fragments: Mapping[str, FragmentDefinitionNode], variables: Mapping[str, Any]
    ) -> None:
        self._fragments = fragments
        self._variables = variables
        self._spread = 0

    def cost(self, selected: SelectionSetNode, depth: int, inside: frozenset[str]) -> int:
        if depth > DEEPEST:
            raise _TooMuch(f"This query is deeper than {DEEPEST} levels.")
        return sum(self._of(node, depth, inside) for node in selected.selections)

    def _of(self, node: SelectionNode, depth: int, inside: frozenset[str]) -> int:
        if isinstance(node, FieldNode):
            if node.selection_set is None:
                return 1
            below = self.cost(node.selection_set, depth + 1, inside)
            return min(1 + self._times(node) * below, COSTLIEST * 1000)
        if isinstance(node, InlineFragmentNode):
            return self.cost(node.selection_set, depth, inside)
        return self._fragment(node, depth, inside) if isinstance(node, FragmentSpreadNode) else 1

    def _fragment(self, node: FragmentSpreadNode, depth: int, inside: frozenset[str]) -> int:
        name = node.name.value
        self._spread += 1
        if self._spread > MANY_FRAGMENTS:
            raise _TooMuch(f"This query uses fragments more than {MANY_FRAGMENTS} times.")
        found = self._fragments.get(name)
        if found is None or name in inside:
            return 1  # which other rules refuse
        return self.cost(found.selection_set, depth, inside | {name})

    def _times(self, node: FieldNode) -> int:
        if node.name.value.startswith("__"):
            return 1
        given = next((a.value for a in node.arguments or () if a.name.value == "limit"), None)
        if isinstance(given, IntValueNode):
            return min(max(int(given.value), 1), LONGEST_PAGE)
        if isinstance(given, VariableNode):
            value = self._variables.get(given.name.value, PAGE)
            return min(max(value, 1), LONGEST_PAGE) if isinstance(value, int) else PAGE
        return PAGE if node.name.value in PAGED else 1


PAGED = frozenset(
    {"models", "versions", "datasets", "jobs", "rollouts", "devices", "groups", "receipts"}
    | {"approvals", "evaluations", "documents"}
)
"""The fields that are lists a page at a time."""
