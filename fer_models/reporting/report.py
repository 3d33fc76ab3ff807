"""Writes the page about the models, and a small file of their metrics.

It reads, for each model that `params.yaml` lists, the reports of `train` and of `evaluate`, the metrics
of when decisions were last accepted, the mark of the decisions that are in the examples, and the votes
on faces, which make a second figure of accuracy. It writes
`index.html`, which opens from disk without a network, and `metrics.json` for `dvc metrics`.

The page names the decisions that the models learned from, not those that wait: `data/relabels.csv` is
no dependency, since a page made before a decision could not know of it either way. Flow and publisher
compare the file with the same mark when they run, and say how many wait (`pending_decisions`).
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fer_data.annotation.decision_marks import MARK
from fer_data.annotation.votes import clear_labels, read_kept_votes
from fer_data.core.files import atomic_write
from fer_data.core.schema import SPLIT, TEST, VALIDATION
from fer_data.core.tables import read_json
from fer_data.stages import stage
from fer_data.stages.settings import read_settings
from fer_data.web.html import render_page
from fer_models.metrics.vote_accuracy import VoteAccuracy, vote_accuracy
from fer_models.reporting.load import ModelReport, read_model
from fer_models.reporting.metric_changes import Accepted, changes_since, read_accepted
from fer_models.reporting.report_settings import Peer, ReportSettings, SeedSpread
from fer_models.reporting.significance import paired_tests
from fer_models.reporting.view import PAPER_TEST_FACES, first_chart, model_view, papers_best

logger = logging.getLogger(__name__)

METRICS = ("accuracy", "loss", "macro_f1", "macro_auroc", "calibration_error")


def compact_metrics(models: Sequence[ModelReport]) -> dict[str, dict[str, dict[str, float | None]]]:
    """The metrics that are compared between commits.

    Returns:
        By model, then by split (`test`, `validation`): the metrics, and the bounds of accuracy's 95 %
        interval as `accuracy_low` and `accuracy_high`; of `test`, too, the accuracy on faces without a
        duplicate in Training, as `accuracy_without_duplicates`.
    """
    metrics = {
        model.name: {split: _compact(model, split) for split in (TEST, VALIDATION)}
        for model in models
    }
    for model in models:
        alone = model.measured["without_duplicates"]["accuracy"]["value"]
        metrics[model.name][TEST]["accuracy_without_duplicates"] = alone
    return metrics


def report_page(
    models: Sequence[ModelReport],
    *,
    accepted: Accepted | None,
    seed_spread: Mapping[str, SeedSpread | None],
    decisions: Mapping[str, Any] | None = None,
    peer: Peer | None = None,
    votes: Mapping[str, VoteAccuracy] | None = None,
    min_agreement: float = 0.6,
) -> str:
    """Renders the page about all models.

    Args:
        models: At least one, in the page's order.
        accepted: The metrics of when decisions were last accepted, if they ever were.
        seed_spread: By model, as far as it was measured.
        decisions: The mark of those that the models learned from (`decision_marks`); None if not known.
        peer: A model to compare with, where one was measured.
        votes: By model, its accuracy on Testing faces whose votes are clear; None or empty without any.
        min_agreement: The part of the votes that made them clear.

    Returns:
        HTML with everything inlined.

    Raises:
        UserError: The models were measured on different faces.
    """
    ranked = sorted(models, key=lambda model: model.measured[VALIDATION]["accuracy"]["value"])
    rival = papers_best(models)
    return render_page(
        "fer_models.reporting",
        "report.html.j2",
        models=[
            model_view(model, number, rival=rival) for number, model in enumerate(models, start=1)
        ],
        chart=first_chart(models, peer),
        paper_faces=PAPER_TEST_FACES,
        pairs=paired_tests(
            {
                model.name: model.predictions.loc[model.predictions[SPLIT] == TEST]
                for model in models
            },
            seed_spread=seed_spread,
        ),
        titles={model.name: model.training["title"] for model in models},
        best=ranked[-1].name if len(models) > 1 else None,
        accepted=accepted,
        decisions=decisions,
        votes=votes,
        min_agreement=min_agreement,
        changes=changes_since(
            accepted,
            {model.name: model.measured for model in models},
            {model.name: model.predictions for model in models},
            seed_spread=seed_spread,
        )
        if accepted
        else {},
    )


def _compact(model: ModelReport, split: str) -> dict[str, float | None]:
    measured = model.measured[split]
    bounds = {f"accuracy_{bound}": measured["accuracy"][bound] for bound in ("low", "high")}
    values = {measure: measured[measure]["value"] for measure in METRICS}
    return {"accuracy": values["accuracy"], **bounds, **values}


def _votes(
    models: Sequence[ModelReport], file: Path, *, min_agreement: float
) -> dict[str, VoteAccuracy]:
    """The models' accuracy by the votes that are kept; empty where none is on a Testing face."""
    classes = clear_labels(read_kept_votes(file), min_agreement=min_agreement)
    known = classes[classes.isin(models[0].measured[TEST]["per_class"])].to_dict()
    measured = {model.name: vote_accuracy(model.predictions, known) for model in models}
    return {name: one for name, one in measured.items() if one.num_faces}


def main() -> None:
    """Reads the models' reports, writes the page and the metrics."""
    flags = stage.parse_flags(
        __doc__, "train", "evaluate", "accepted", "curated", "votes", "page", "metrics"
    )
    settings = read_settings(ReportSettings, "report")
    models = [read_model(flags.train, flags.evaluate, name=name) for name in settings.models]
    page = report_page(
        models,
        accepted=read_accepted(flags.accepted),
        seed_spread=settings.seed_spread,
        decisions=read_json(flags.curated).get(MARK),
        peer=settings.peer,
        votes=_votes(models, flags.votes, min_agreement=settings.min_vote_agreement),
        min_agreement=settings.min_vote_agreement,
    )
    metrics = compact_metrics(models)
    with atomic_write(flags.page) as beside:
        beside.write_text(page, encoding="utf-8")
    with atomic_write(flags.metrics) as beside:
        beside.write_text(stage.json_text(metrics, of=flags.metrics), encoding="utf-8")
    accuracies = ", ".join(
        f"{name} {splits[TEST]['accuracy']:.4f}" for name, splits in metrics.items()
    )
    logger.info("report: test accuracy %s -> %s", accuracies, flags.page)


if __name__ == "__main__":
    stage.run(main)
