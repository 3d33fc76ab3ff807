"""Shows what decisions do: one model learns from those of a drawn annotator who knows the key."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.table import Table

from fer_data.annotation.decision_writer import append_decisions
from fer_data.core.catalog import dependency, output
from fer_data.core.schema import KEEP, LABEL, PATH, PREDICTION, SPLIT, TEST, TRAIN
from fer_data.core.tables import read_table
from fer_data.stages.settings import PARAMS_FILE, DataSettings, read_settings
from fer_data.synthetic.planted_errors import TRUE_LABEL
from fer_models.reporting.seed_spread import Difference, difference
from flows.commands.demo import run_stages
from flows.simulation.recorded_annotator import SECONDS_A_FACE, by_key

MODEL = "scratch"
"""The model that learns from the decisions: the one that trains fastest."""
NUM_DECISIONS = 60


@dataclass(frozen=True)
class Learned:
    """What a model's training labels and its predictions are worth, by the key."""

    wrong_labels: int
    """Faces of `train` whose label is not the one that was drawn."""
    right: pd.Series
    """Whether the model is right, by the path of the Testing face."""


def decide_and_rerun(
    workspace: Path, planted: pd.DataFrame, *, model: str, console: Console
) -> None:
    """Decides the first faces of the queue by the key, reruns what one model needs, and compares.

    Args:
        workspace: Where all stages have run.
        planted: The key: one row an error, as `drawn_archive.write_sample` returns them.
        model: The model to train again.
        console: Where to print.

    Raises:
        UserError: A stage failed.
    """
    before = _learned(workspace, planted, model=model)
    num_changed = decide(workspace, planted)
    console.print(
        f"\nAn annotator who knows the key decides the first {NUM_DECISIONS} faces of the queue "
        f"({num_changed} of them wrong); {model} learns from it:",
        highlight=False,
        soft_wrap=True,
    )
    stages = ("review_queue", "rebalance", "tfrecords", f"train@{model}", f"evaluate@{model}")
    run_stages(workspace, console=console, stages=stages)
    after = _learned(workspace, planted, model=model)
    right = after.right.reindex(before.right.index)
    change = difference(before.right.to_numpy(), right.to_numpy(), (None, None))
    table = Table("", "before", "after", title=f"{NUM_DECISIONS} decisions later")
    table.add_row(
        "wrong labels that it learns from", str(before.wrong_labels), str(after.wrong_labels)
    )
    accuracies = (f"{one.mean():.3f}" for one in (before.right, right))
    table.add_row(f"accuracy of {model} on test", *accuracies)
    console.print(table)
    console.print(in_words(change), highlight=False, soft_wrap=True)


def in_words(change: Difference) -> str:
    """The change of accuracy with its interval, also where it is nothing."""
    interval = f"{100 * change.low:+.1f} to {100 * change.high:+.1f}"
    result = (
        "no change that the choice of faces does not explain"
        if change.low <= 0 <= change.high
        else "more than the choice of faces explains; another seed may change it, too"
    )
    return f"Change: {100 * change.value:+.1f} points ({interval}, paired): {result}."


def decide(workspace: Path, planted: pd.DataFrame) -> int:
    """Appends the annotator's decisions on the first faces of the queue.

    Returns:
        On how many of them the label was wrong.
    """
    queue = pd.read_csv(output("review_queue", "suspects.csv", workspace=workspace))
    # As if they had just been made: one that is dated ahead would go before what a person decides next.
    start = datetime.now(UTC) - timedelta(seconds=SECONDS_A_FACE * NUM_DECISIONS)
    decisions = by_key(planted, queue).decide(queue, NUM_DECISIONS, start=start)
    settings = read_settings(DataSettings, "data", file=workspace / PARAMS_FILE)
    append_decisions(
        dependency("rebalance", "relabels.csv", workspace=workspace),
        decisions,
        expressions=settings.expressions,
    )
    return sum(one.decision != KEEP for one in decisions)


def _learned(workspace: Path, planted: pd.DataFrame, *, model: str) -> Learned:
    examples = read_table(output("rebalance", "examples.parquet", workspace=workspace))
    train = examples[examples[SPLIT] == TRAIN]
    truth = planted.set_index(PATH)[TRUE_LABEL]
    wrong = train[PATH].map(truth).fillna(train[LABEL]) != train[LABEL]
    folder = output(f"evaluate@{model}", model, workspace=workspace)
    test = read_table(folder / "predictions.parquet")
    test = test[test[SPLIT] == TEST]
    right = pd.Series(test[LABEL] == test[PREDICTION]).set_axis(test[PATH])
    return Learned(int(wrong.sum()), right)
