"""Compares the metrics of a run with those of the published run, and holds back a worse one.

A run is worse if a model's accuracy on validation fell by more than other faces and another seed
explain: the comparison of the models' report (`seed_spread`), corrected for the number of
models. Macro-F1 is shown, and holds nothing back: its spread from seed to seed is not measured.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import pandas as pd

from fer_data.core.schema import VALIDATION
from fer_models.reporting.outcomes import Outcomes
from fer_models.reporting.report_settings import SeedSpread
from fer_models.reporting.seed_spread import (
    LEVEL,
    Difference,
    difference_from_kept,
    difference_of_intervals,
)
from fer_models.reporting.significance import holm
from flows.publishing.run_metrics import ACCURACY, METRIC_NAMES, MetricValue, RunMetrics


@dataclass(frozen=True)
class MetricChange:
    """A metric of this run beside the published run's; one of them may be missing."""

    model: str
    split: str
    metric: str
    now: MetricValue | None
    """None: this run lost the model, or the metric is not defined any more."""
    before: MetricValue | None
    tested: Difference | None = None
    """Of accuracy on validation: how it differs from the published run's, faces and seeds considered."""
    p_adjusted: float = 1.0
    """How likely such a difference is where there is none, corrected for the number of models."""

    @property
    def name(self) -> str:
        """What was measured, in words: `validation macro-F1 of scratch`."""
        return f"{self.split} {METRIC_NAMES[self.metric]} of {self.model}"

    @property
    def difference(self) -> float | None:
        """By how much the metric rose, a fraction; None where one of both runs has none."""
        if self.now is None or self.before is None:
            return None
        return self.now.value - self.before.value

    @property
    def result(self) -> str:
        """`new`, `gone`; where it was tested, `worse`, `better` or `chance`.

        Of other metrics, where they lie: `within`, `above` or `below` the published interval over faces.
        """
        if self.now is None:
            return "gone"
        if self.before is None:
            return "new"
        if self.tested is not None:
            if self.p_adjusted > LEVEL:
                return "chance"
            return "worse" if self.tested.value < 0 else "better"
        if self.now.value < self.before.low:
            return "below"
        return "above" if self.now.value > self.before.high else "within"

    @property
    def is_regression(self) -> bool:
        """Whether the change speaks against the run: nothing is ever chosen on `test`."""
        return self.split == VALIDATION and self.result in ("worse", "gone")

    def __str__(self) -> str:
        """The change as a line for a log."""
        if self.now is None:
            then = "" if self.before is None else f"{self.before.value:.4f} -> "
            return f"{self.name}: {then}gone"
        if self.before is None:
            return f"{self.name}: {self.now.value:.4f}"
        moved = f"{self.name}: {self.before.value:.4f} -> {self.now.value:.4f}"
        if self.tested is None:
            return (
                f"{moved} ({self.now.value - self.before.value:+.4f}), {self.result} the published "
                f"interval {self.before.low:.4f} to {self.before.high:.4f}"
            )
        explained = "other faces and another seed" if self.tested.covers_seeds else "other faces"
        missing = (
            ""
            if self.tested.covers_seeds
            else "; another seed is not covered: report.seed_spread does not say how much it changes"
        )
        return (
            f"{moved} ({self.tested.value:+.4f}, 95 % interval {self.tested.low:+.4f} to "
            f"{self.tested.high:+.4f}), {'within' if self.result == 'chance' else 'beyond'} what "
            f"{explained} would change{missing}"
        )


def accuracy_against(
    before: RunMetrics,
    outcomes: Mapping[str, Outcomes],
    *,
    now: RunMetrics,
    predictions: Mapping[str, pd.DataFrame],
    seed_spread: Mapping[str, SeedSpread | None],
) -> dict[str, Difference]:
    """Tests how accuracy on validation differs from the published run's, over faces and seeds.

    Args:
        before: The published run's metrics.
        outcomes: Which faces it predicted rightly, by model; earlier versions kept none.
        now: Today's metrics.
        predictions: Today's, of the validation faces.
        seed_spread: By model, as far as it was measured.

    Returns:
        By model, for those that both runs have. Runs on other faces or labels cannot be paired: their
        intervals are compared.
    """
    found: dict[str, Difference] = {}
    for model, rows in predictions.items():
        spread = seed_spread.get(model)
        first, second = (
            metrics.get(model, {}).get(VALIDATION, {}).get(ACCURACY) for metrics in (before, now)
        )
        if first and second:
            found[model] = difference_from_kept(
                outcomes.get(model), rows, spread
            ) or difference_of_intervals(
                (first.value, first.low, first.high),
                (second.value, second.low, second.high),
                (spread, spread),
            )
    return found


def changes(
    now: RunMetrics, before: RunMetrics, tested: Mapping[str, Difference] | None = None
) -> Iterator[MetricChange]:
    """Compares metrics with those of the published run.

    Args:
        now: Today's.
        before: The published run's; empty where none was published.
        tested: How accuracy on validation differs, by model.

    Yields:
        A change for each of today's metrics, and for each that the published run alone has.
    """
    known = tested or {}
    adjusted = dict(zip(known, holm([one.p for one in known.values()]), strict=True))
    for model, splits in now.items():
        for split, metrics in splits.items():
            for metric, value in metrics.items():
                then = before.get(model, {}).get(split, {}).get(metric)
                change = MetricChange(model, split, metric, now=value, before=then)
                if model in known and (split, metric) == (VALIDATION, ACCURACY):
                    change = replace(change, tested=known[model], p_adjusted=adjusted[model])
                yield change
    for model, splits in before.items():
        for split, metrics in splits.items():
            for metric, value in metrics.items():
                if metric not in now.get(model, {}).get(split, {}):
                    yield MetricChange(model, split, metric, now=None, before=value)
