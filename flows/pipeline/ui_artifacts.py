"""Makes the Prefect artifacts of a finished run: its metrics, the state of its data, the reports."""

import html
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from prefect.artifacts import (
    create_link_artifact,
    create_markdown_artifact,
    create_table_artifact,
)

from fer_data.annotation.apply_decisions import is_retired
from fer_data.annotation.decision_log import read_decisions
from fer_data.annotation.latest_decisions import latest_decisions
from fer_data.annotation.pending_decisions import waiting
from fer_data.core.catalog import dependency, output
from fer_data.core.schema import PIXEL_HASH, TEST, VALIDATION
from fer_data.core.tables import read_csv, read_json
from fer_data.stages.settings import PARAMS_FILE, DataSettings, read_settings
from flows.publishing.metric_gate import MetricChange, changes
from flows.publishing.publish import Published
from flows.publishing.run_metrics import METRIC_NAMES, MetricValue, read_metrics
from flows.publishing.site import DATA_PAGE, INDEX_PAGE

EVALUATION = "evaluation"
DATA_QUALITY = "data-quality"
METRICS = "metrics"
MODELS_REPORT = "models-report"
DATA_REPORT = "data-report"
"""The artifacts' keys."""


def record_artifacts(workspace: Path, published: Published | None) -> None:
    """Makes the artifacts of the flow run, or task run, that this is called from.

    Args:
        workspace: Where the stages have run.
        published: What was published; None where there is no destination: then there is nothing to
            compare with, and the links lead into the workspace.

    Raises:
        UserError: A report is missing.
    """
    pages = output("report", INDEX_PAGE, workspace=workspace).absolute().parent.as_uri()
    site = published.site if published else pages
    moved = published.changes if published else tuple(changes(read_metrics(workspace), {}))
    outcome = published.outcome if published else "not published: publish.destination is null"
    create_markdown_artifact(
        evaluation_summary(moved, site=site, outcome=outcome, waits=waiting(workspace)),
        key=EVALUATION,
        description="How good the models are",
    )
    create_table_artifact(
        metrics_table(moved), key=METRICS, description="The metrics beside the published run's"
    )
    create_markdown_artifact(
        data_summary(workspace, site=site),
        key=DATA_QUALITY,
        description="What the archive holds, and how good its labels are",
    )
    for key, page in ((MODELS_REPORT, INDEX_PAGE), (DATA_REPORT, DATA_PAGE)):
        create_link_artifact(f"{site}/{page}", link_text=page, key=key)


def evaluation_summary(
    moved: Sequence[MetricChange], *, site: str, outcome: str, waits: Sequence[str] = ()
) -> str:
    """Summarizes the metrics of all models and the result of the run, as Markdown.

    Args:
        moved: The metrics beside those of the published run.
        site: The URL of the reports' folder.
        outcome: What was done with the reports, in one line.
        waits: Decisions that the models did not learn from, each with its remedy.
    """
    columns = [(split, metric) for split in (VALIDATION, TEST) for metric in METRIC_NAMES]
    metrics = {(one.model, one.split, one.metric): one.now for one in moved}
    lines = ["# The models", ""]
    lines += _table(
        ["model", *(f"{split} {METRIC_NAMES[metric]}" for split, metric in columns)],
        (
            [model, *(_with_interval(metrics.get((model, *column))) for column in columns)]
            for model in dict.fromkeys(one.model for one in moved)
        ),
    )
    worse = [f"- {change}" for change in moved if change.is_regression]
    if worse:
        lines += ["", "Worse than what is published:", "", *worse]
    lines += [f"\n{one}." for one in waits]
    return "\n".join([*lines, "", f"{outcome}.", "", f"[The report]({site}/{INDEX_PAGE})", ""])


def metrics_table(moved: Iterable[MetricChange]) -> list[dict[str, Any]]:
    """Tabulates each metric of the published run and of this one, and their difference."""
    return [
        {
            "model": change.model,
            "faces": change.split,
            "metric": METRIC_NAMES[change.metric],
            "published": _rounded(change.before.value if change.before else None),
            "now": _rounded(change.now.value if change.now else None),
            "difference": _rounded(change.difference),
            "published interval": _interval(change.before) if change.before else "",
            "result": change.result,
        }
        for change in moved
    ]


def data_summary(workspace: Path, *, site: str) -> str:
    """Summarizes `validate`'s result and the faces that wait for a decision, as Markdown.

    Args:
        workspace: Where the stages have run.
        site: The URL of the reports' folder.

    Raises:
        UserError: One of their outputs is missing, or the decisions are broken.
    """
    result = read_json(output("validate", "validate", workspace=workspace) / "summary.json")
    suspects = read_csv(output("review_queue", "suspects.csv", workspace=workspace))
    data = read_settings(DataSettings, "data", file=workspace / PARAMS_FILE)
    relabels = dependency("review_queue", "relabels.csv", workspace=workspace)
    decisions = latest_decisions(read_decisions(relabels, expressions=data.known_expressions))
    applying = decisions[~is_retired(decisions, data.retired_expressions)]
    num_waiting = int((~suspects[PIXEL_HASH].isin(applying[PIXEL_HASH])).sum())
    failed = [one for one in result["expectations"] if not one["success"]]
    lines = [
        "# The data",
        "",
        f"{result['faces']:,} faces, of which {num_waiting:,} wait in the review queue. "
        f"{len(result['expectations']) - len(failed)} of {len(result['expectations'])} expectations "
        "are met.",
    ]
    if failed:
        lines += ["", "Not met:", ""]
        lines += _table(
            ["expectation", "severity", "faces"],
            ([one["meaning"], one["severity"], f"{one['unexpected']:,}"] for one in failed),
        )
    return "\n".join([*lines, "", f"[The report]({site}/{DATA_PAGE})", ""])


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    shown = [[_escaped(cell) for cell in cells] for cells in rows]
    return [f"| {' | '.join(cells)} |" for cells in (header, ["---"] * len(header), *shown)]


def _escaped(text: str) -> str:
    """A cell's text, such as a person's name, as Markdown shows it: neither HTML nor a further cell."""
    return re.sub(r"([\\`*\[\]|])", r"\\\1", html.escape(" ".join(text.split()), quote=False))


def _with_interval(metric: MetricValue | None) -> str:
    return f"{metric.value:.4f} ({_interval(metric)})" if metric else "not defined"


def _interval(metric: MetricValue) -> str:
    return f"{metric.low:.4f} to {metric.high:.4f}"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
