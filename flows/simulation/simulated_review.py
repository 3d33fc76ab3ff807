"""Lets a recorded annotator decide on faces in several orders, and trains a model after each step."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Literal, get_args

import numpy as np
import pandas as pd

from fer_data.annotation.decision_log import read_decisions
from fer_data.annotation.decision_writer import append_decisions
from fer_data.annotation.latest_decisions import latest_decisions
from fer_data.annotation.statistics import wilson_rate
from fer_data.core.catalog import dependency, output
from fer_data.core.errors import UserError
from fer_data.core.schema import (
    EXCLUDED,
    KEEP,
    LABEL,
    PATH,
    PIXEL_HASH,
    PREDICTION,
    SPLIT,
    TEST,
    TRAIN,
)
from fer_data.core.tables import read_table
from fer_data.review_queue.audit import mix_in, read_audit
from fer_data.stages.settings import PARAMS_FILE, DataSettings, read_settings
from flows.simulation.recorded_annotator import SECONDS_A_FACE, RecordedAnnotator
from flows.workspace.client import commit, git
from flows.workspace.overrides import apply_overrides

Order = Literal["learned", "queue", "random"]
ORDERS: Final[tuple[Order, ...]] = get_args(Order)
_LEFT_OUT = shutil.ignore_patterns(
    *(
        ".git",
        ".venv",
        ".prefect",
        "cache",
        "tmp",
        "checkpoints",
        "*.unfinished",
        "simulated_review",
    )
)
"""Of a workspace, what its copy does without."""


@dataclass(frozen=True)
class SimulatedReview:
    """Who decides, how often, and what learns from it."""

    annotator: RecordedAnnotator
    """Who decides."""
    num_faces: int
    """On how many faces the annotator decides in each order; fewer where none is left."""
    step: int
    """After how many of them the model is trained."""
    model: str
    """The model that learns from the decisions."""
    stages: Sequence[str]
    """What runs after each step: `flows.workspace.graph` names them."""
    seed: int
    """Of the random order."""
    run: Callable[[Path, Sequence[str]], None]
    """Runs stages in a workspace."""


@dataclass(frozen=True)
class Step:
    """What labels and model are worth after some decisions."""

    order: Order
    """In which order faces were decided: by the queue as it learns, by label quality, or at random."""
    decisions: int
    """How many were made."""
    wrong_found: int
    """How many of them found a wrong label."""
    known_labels: int
    """How many labels in `train` the annotator knows."""
    label_error: float
    """The part of them that are wrong."""
    accuracy: float
    """Of the model on Testing faces, by their given labels."""
    low: float
    """The lower end of its 95 % interval."""
    high: float
    """The upper end."""

    def in_words(self) -> str:
        """Describes the step in a line."""
        return (
            f"{self.order}, {self.decisions} decisions ({self.wrong_found} of wrong labels): "
            f"{self.label_error:.2%} of {self.known_labels:,} training labels wrong, accuracy "
            f"{self.accuracy:.4f} ({self.low:.4f} to {self.high:.4f})"
        )


def read_orders(text: str) -> list[Order]:
    """Reads names of orders with commas between them.

    Raises:
        UserError: One is no order, or stands there twice.
    """
    names = [name.strip() for name in text.split(",")]
    if not set(names) <= set(ORDERS) or len(set(names)) < len(names):
        raise UserError(f"got the orders '{text}', expected some of {', '.join(ORDERS)}, each once")
    return sorted((order for order in ORDERS if order in names), key=names.index)


def simulate(
    workspace: Path, scratch: Path, review: SimulatedReview, *, orders: Sequence[Order]
) -> Iterator[Step]:
    """Simulates a review in each of several orders, in copies of a workspace.

    Args:
        workspace: Where all stages have run; nothing in it is changed.
        scratch: An empty folder for the copies.
        review: Who decides, how often, and what learns from it.
        orders: The orders, one after the other.

    Yields:
        What is there before the first decision, and after each step.

    Raises:
        UserError: The workspace is not built, a stage failed, or the annotator knows no undecided face.
    """
    _check_built(workspace, review.model)
    for order in orders:
        copy = scratch / order
        shutil.copytree(workspace, copy, ignore=_LEFT_OUT, symlinks=True)
        git("init", "--quiet", cwd=copy)
        commit(copy, "Start")  # DVCLive asks for one
        if order == "queue":
            apply_overrides({"review_queue": {"min_decisions_to_learn": 0}}, folder=copy)
            review.run(copy, ["review_queue"])
        yield from _steps(copy, review, order)
        shutil.rmtree(copy)


def _steps(copy: Path, review: SimulatedReview, order: Order) -> Iterator[Step]:
    made, wrong_found, moment = 0, 0, datetime.now(UTC)
    yield _measured(copy, review, order, made, wrong_found)
    while made < review.num_faces:
        faces = undecided_faces(copy, order, seed=review.seed)
        number = min(review.step, review.num_faces - made)
        decisions = review.annotator.decide(faces, number, start=moment)
        if not decisions and not made:
            raise UserError(
                f"no decision to simulate: the annotator knows none of the {len(faces):,} faces that "
                "are to be decided; others may be decided already"
            )
        if not decisions:
            return
        settings = read_settings(DataSettings, "data", file=copy / PARAMS_FILE)
        log = dependency("rebalance", "relabels.csv", workspace=copy)
        append_decisions(log, decisions, expressions=settings.known_expressions)
        made += len(decisions)
        wrong_found += sum(one.decision != KEEP for one in decisions)
        moment = _after(moment, len(decisions))
        review.run(copy, review.stages)
        yield _measured(copy, review, order, made, wrong_found)


def undecided_faces(workspace: Path, order: Order, *, seed: int) -> pd.DataFrame:
    """The undecided faces of a workspace, in the order in which a person would see them.

    Returns:
        Rows with `path`, `pixel_hash` and `label`. `random`: all that could be in the queue; else those
        that are, with the audit's faces among them where the queue learns.
    """
    if order != "random":
        queue = pd.read_csv(output("review_queue", "suspects.csv", workspace=workspace))
        if order == "learned":
            queue = mix_in(
                queue, read_audit(output("review_queue", "audit.csv", workspace=workspace))
            )
        return queue[[PATH, PIXEL_HASH, LABEL]]
    ranked = read_table(output("mislabels", "label_quality.parquet", workspace=workspace))
    assignments = read_table(output("split", "assignments.parquet", workspace=workspace))
    splits = ranked[PATH].map(assignments.set_index(PATH)[SPLIT])
    settings = read_settings(DataSettings, "data", file=workspace / PARAMS_FILE)
    log = dependency("rebalance", "relabels.csv", workspace=workspace)
    decided = latest_decisions(read_decisions(log, expressions=settings.known_expressions))
    is_open = (splits != EXCLUDED) & ~ranked[PIXEL_HASH].isin(decided[PIXEL_HASH])
    faces = ranked.sort_values(PATH)[[PATH, PIXEL_HASH, LABEL]]
    shuffled = faces.iloc[np.random.default_rng(seed).permutation(len(faces))]
    return shuffled[is_open.loc[shuffled.index]].drop_duplicates(PIXEL_HASH)


def as_table(steps: Sequence[Step]) -> pd.DataFrame:
    """The steps as rows."""
    return pd.DataFrame([asdict(one) for one in steps])


def _measured(
    workspace: Path, review: SimulatedReview, order: Order, made: int, wrong_found: int
) -> Step:
    examples = read_table(output("rebalance", "examples.parquet", workspace=workspace))
    train = examples[examples[SPLIT] == TRAIN]
    truth = train[PATH].map(dict(review.annotator.truth))
    known = truth.notna()
    folder = output(f"evaluate@{review.model}", review.model, workspace=workspace)
    test = read_table(folder / "predictions.parquet", columns=(SPLIT, LABEL, PREDICTION))
    test = test[test[SPLIT] == TEST]
    rate = wilson_rate(int((test[LABEL] == test[PREDICTION]).sum()), len(test))
    if rate.value is None or rate.low is None or rate.high is None or not known.any():
        raise UserError("there is no Testing face, or no `train` face that the annotator knows")
    error = float((truth[known] != train.loc[known, LABEL]).mean())
    labels = int(known.sum())
    return Step(order, made, wrong_found, labels, error, rate.value, rate.low, rate.high)


def _check_built(workspace: Path, model: str) -> None:
    """Refuses a workspace whose stages have not run."""
    for stage, name in (
        ("mislabels", "label_quality.parquet"),
        ("review_queue", "audit.csv"),
        ("rebalance", "examples.parquet"),
        (f"evaluate@{model}", model),
    ):
        file = output(stage, name, workspace=workspace)
        if not file.exists():
            raise UserError(f"{file} is missing: `dvc repro {stage}` makes it, then run this again")


def _after(moment: datetime, number: int) -> datetime:
    return moment + timedelta(seconds=SECONDS_A_FACE * number)
