"""Says how right models are on the Testing faces whose votes are clear; nothing is chosen by it."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from fer_data.annotation.statistics import wilson_rate
from fer_data.core.catalog import items, output
from fer_data.core.schema import LABEL, PIXEL_HASH, PREDICTION, SPLIT, TEST
from fer_data.core.tables import read_table
from fer_data.decision_import.vote_majorities import Majorities


def accuracy_by_votes(votes: Majorities, *, folder: Path) -> Iterator[str]:
    """Says the accuracy of each evaluated model on the Testing faces whose votes are clear.

    Args:
        votes: The majorities; their faces of Testing count.
        folder: The workspace.

    Yields:
        How many faces of Testing have votes, then a line a model; nothing where no face has.
    """
    if not votes.num_testing:
        return
    yield (
        f"Testing: the votes on {len(votes.testing):,} of {votes.num_testing:,} faces are clear for a "
        "class; none becomes a decision, and nothing is to be chosen by what follows"
    )
    for model in items("evaluate", workspace=folder) if votes.testing else ():
        file = output(f"evaluate@{model}", model, workspace=folder) / "predictions.parquet"
        if file.exists():
            columns = (PIXEL_HASH, SPLIT, LABEL, PREDICTION)
            yield f"{model}: {_accuracies(read_table(file, columns=columns), votes.testing)}"


def _accuracies(predictions: pd.DataFrame, classes: dict[str, str]) -> str:
    """The accuracy of a model's predictions, by the votes and by the given labels, in words."""
    known = predictions[PIXEL_HASH].isin(list(classes))
    faces = predictions[(predictions[SPLIT] == TEST) & known]
    if faces.empty:
        return "has predicted none of these faces"
    truths = {"by the votes": faces[PIXEL_HASH].map(classes), "by the given labels": faces[LABEL]}
    rates = {
        name: wilson_rate(int((faces[PREDICTION] == truth).sum()), len(faces))
        for name, truth in truths.items()
    }
    words = (
        f"{one.value:.4f} ({one.low:.4f} to {one.high:.4f}) {name}" for name, one in rates.items()
    )
    return f"accuracy {', '.join(words)}, on {len(faces):,} faces"
