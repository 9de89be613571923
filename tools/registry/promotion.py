"""The promotion gate: whether a version may get an alias, by every rule, and what would pass."""

from __future__ import annotations

import math
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from tools.kernel.errors import PolicyDenied
from tools.registry.device_size import device_size_mb
from tools.registry.measurements import Measurement, measurements
from tools.registry.promotion_policy import PromotionRule, policy_file, rules_of
from tools.registry.types import Alias, PromotionCheck, RuleCheck

if TYPE_CHECKING:
    from tools.registry.backend import ModelVersionInfo
    from tools.registry.service import RegistryService

SPLIT = "test"
_OF_CLASSES = ("gain_over_majority", "macro_f1", "ece")
_OF_TEXTS = ("recall_at_5", "mrr", "ndcg_at_10")


class PromotionGate:
    """Checks promotions against the rules that hold now.

    Args:
        service: the registry.
    """

    def __init__(self, service: RegistryService) -> None:
        self._service = service

    def check(self, version: ModelVersionInfo, alias: Alias) -> PromotionCheck:
        """Every rule that is about this promotion, and how the version stands to it.

        A version that had the alias before is let back, whatever the rules say now: else nothing
        could be rolled back to it.

        Raises:
            InvalidInput: if the rules cannot be read.
        """
        path = policy_file(self._service.kernel.settings)
        rules = [r for r in rules_of(path) if r.fits(version.model, alias)]
        checked = [self._checked(rule, version) for rule in rules]
        back = alias in version.held
        return PromotionCheck(
            model=version.model,
            version=version.version,
            alias=alias,
            passes=back or all(c.passed for c in checked),
            had_it_before=back,
            second_person=any("second_person" in r.approver for r in rules),
            approvers=[list(r.approver) for r in rules if r.names_approvers],
            rules=checked,
            policy=str(path),
        )

    def enforce(self, version: ModelVersionInfo, alias: Alias) -> PromotionCheck:
        """Refuse what the rules do not let through.

        Raises:
            PolicyDenied: naming every rule that is not met and what would pass.
        """
        found = self.check(version, alias)
        if not found.passes:
            unmet = [c for c in found.rules if not c.passed]
            raise PolicyDenied(
                f"The promotion gate does not let {version} become {alias}: "
                + "; ".join(f"rule “{c.rule}” is not met: {c.told}" for c in unmet)
                + ".",
                hint=f"It would pass with {', and '.join(c.would_pass for c in unmet)}. "
                f"The rules are in {found.policy}.",
            )
        return found

    def _checked(self, rule: PromotionRule, version: ModelVersionInfo) -> RuleCheck:
        if rule.measure is None:
            return RuleCheck(rule=rule.name, passed=True, told=rule.limit, would_pass=rule.limit)
        found, where = self._value(rule, version)
        if found is None:
            return RuleCheck(
                rule=rule.name,
                measure=rule.measure,
                passed=rule.if_measured,
                told=f"{rule.measure} was not measured{self._why(rule, version)}",
                would_pass=self._would_pass(rule, version),
            )
        if not math.isfinite(found):
            return RuleCheck(
                rule=rule.name,
                measure=rule.measure,
                passed=False,
                told=f"{rule.measure} is no finite number{where}, asked is {rule.limit}",
                would_pass=rule.limit,
            )
        low = rule.at_least is None or found >= rule.at_least
        high = rule.at_most is None or found <= rule.at_most
        return RuleCheck(
            rule=rule.name,
            measure=rule.measure,
            value=found,
            passed=low and high,
            told=f"{rule.measure} is {found:.4g}{where}, asked is {rule.limit}",
            would_pass=rule.limit,
        )

    def _why(self, rule: PromotionRule, version: ModelVersionInfo) -> str:
        """Why an evaluated version has no worst slice, or has not what another task has."""
        found = self._newest(version, rule.dataset)
        if found is None:
            return ""
        if rule.measure == "worst_slice":
            return f": no slice has {rule.min_rows} test rows"
        had = _had_instead(rule, found)
        why = "an embedding names no classes" if had is _OF_TEXTS else "a classifier finds no texts"
        return f": {why}; it has {', '.join(had)}" if had else ""

    def _would_pass(self, rule: PromotionRule, version: ModelVersionInfo) -> str:
        """What would pass where nothing was measured."""
        found = self._newest(version, rule.dataset)
        had = None if found is None else _had_instead(rule, found)
        if had is None:
            return f"an evaluation with {rule.limit}"
        return f"a rule that asks for {', '.join(had[:-1])} or {had[-1]}"

    def _value(self, rule: PromotionRule, version: ModelVersionInfo) -> tuple[float | None, str]:
        measure = str(rule.measure)
        if measure == "size_mb":
            return device_size_mb(version)
        found = self._newest(version, rule.dataset)
        broken = _broken(found)
        if found is not None and broken is not None:
            return math.nan, f" (the {broken} on {found.dataset} is none)"
        if measure == "gain_over_champion":
            return self._gain(version, found)
        if found is not None:
            value = _worst_slice(rule, found) if measure == "worst_slice" else _of(measure, found)
            if value is not None:
                return value[0], f"{value[1]} on {found.dataset}"
        trained = version.metrics.get(measure)
        return trained, " in its training" if trained is not None else ""

    def _newest(self, version: ModelVersionInfo, dataset: str) -> Measurement | None:
        for found in measurements(self._service.kernel, version):
            names = (found.dataset, found.dataset.partition("@")[0])
            if found.split == SPLIT and any(fnmatchcase(name, dataset) for name in names):
                return found
        return None

    def _gain(
        self, version: ModelVersionInfo, found: Measurement | None
    ) -> tuple[float | None, str]:
        number = self._service.backend.alias(version.tenant, version.model, "champion")
        if number is None or number == version.version:
            return 0.0, " (there is no other champion)"
        champion = self._service.backend.version(version.tenant, version.model, number)
        if found is None or "accuracy" not in found.values:
            return None, ""
        before = self._newest(champion, found.dataset)
        if before is None or "accuracy" not in before.values:
            return None, ""
        gain = found.values["accuracy"] - before.values["accuracy"]
        return gain, f" over v{number} on {found.dataset}"


def _had_instead(rule: PromotionRule, found: Measurement) -> tuple[str, ...] | None:
    """What a model of another task has in place of the figure that a rule asks for."""
    if rule.measure in _OF_CLASSES and "mrr" in found.values:
        return _OF_TEXTS
    if rule.measure in _OF_TEXTS and "macro_f1" in found.values:
        return _OF_CLASSES
    return None


def _broken(found: Measurement | None) -> str | None:
    """A figure that is no finite number: a model that answers such has none that counts."""
    values = {} if found is None else found.values
    return next((name for name, value in values.items() if not math.isfinite(value)), None)


def _worst_slice(rule: PromotionRule, found: Measurement) -> tuple[float, str] | None:
    fit = [s for s in found.slices if s.rows >= rule.min_rows and rule.column in (None, s.column)]
    if not fit:
        return None
    worst = min(fit, key=lambda s: s.accuracy)
    return worst.accuracy, f" ({worst.column} {worst.value}, {worst.rows} rows)"


def _of(measure: str, found: Measurement) -> tuple[float, str] | None:
    values = found.values
    if measure == "gain_over_majority":
        if not {"accuracy", "baseline_majority"} <= set(values):
            return None
        return values["accuracy"] - values["baseline_majority"], ""
    return (values[measure], "") if measure in values else None
