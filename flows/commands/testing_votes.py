"""Says how right models are on the Testing faces whose votes are clear; nothing is chosen by it."""

from collections.abc import Iterator
from pathlib import Path

from fer_data.core.catalog import items, output
from fer_data.core.schema import LABEL, PIXEL_HASH, PREDICTION, SPLIT
from fer_data.core.tables import read_table
from fer_data.decision_import.vote_majorities import Majorities
from fer_models.metrics.vote_accuracy import VoteAccuracy, vote_accuracy


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
            predictions = read_table(file, columns=columns)
            yield f"{model}: {_in_words(vote_accuracy(predictions, votes.testing))}"


def _in_words(measured: VoteAccuracy) -> str:
    if not measured.num_faces:
        return "has predicted none of these faces"
    rates = {"by the votes": measured.by_votes, "by the given labels": measured.by_given_labels}
    words = (
        f"{one.value:.4f} ({one.low:.4f} to {one.high:.4f}) {name}" for name, one in rates.items()
    )
    return f"accuracy {', '.join(words)}, on {measured.num_faces:,} faces"
