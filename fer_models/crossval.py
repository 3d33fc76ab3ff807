"""Scores faces out of sample: a network per fold, trained on the other folds, judges this one."""

import logging
import sys

import keras
import numpy as np
import pandas as pd
from pydantic import Field

from fer_data import stage
from fer_data.faces import read_faces
from fer_data.params import DataSettings, Settings, read_settings
from fer_data.relabels import apply_decisions, read_decisions
from fer_data.schema import (
    EXCLUDED,
    FACE_SIZE,
    FOLD,
    LABEL,
    NO_FOLD,
    PATH,
    PIXEL_HASH,
    ROLE,
    SOURCE,
)
from fer_data.tables import read_table, with_probabilities, write_table
from fer_models.batches import make_repeatable, training_batches

logger = logging.getLogger(__name__)


class CrossvalSettings(Settings):
    """Section `crossval`: the complete recipe of the networks that judge labels."""

    filters: tuple[int, ...] = Field(min_length=1, max_length=5)
    """Filters of the convolutions; each is followed by a pooling that halves the size."""
    dropout: float = Field(ge=0, lt=1)
    """The part of the pooled features that is dropped in training."""
    epochs: int = Field(ge=1)
    """How often a network sees its folds."""
    batch_size: int = Field(ge=1)
    """Faces a step."""
    learning_rate: float = Field(gt=0, le=1)
    """Adam's largest step size, reached after a tenth of the steps and then lowered to 0 by a cosine."""
    deterministic: bool
    """Whether equal settings and data give equal probabilities, bit for bit."""
    seed: int = Field(ge=0)
    """Seed of initial weights, flips, dropout and order; the fold's number is added."""


def build_network(filters: tuple[int, ...], *, dropout: float, num_classes: int) -> keras.Model:
    """A plain convolutional network: convolution, batch norm, ReLU and pooling per entry of `filters`.

    Args:
        filters: Filters of the convolutions.
        dropout: Dropout of the features, averaged over the last map.
        num_classes: K.

    Returns:
        A model from uint8 faces (N, 48, 48, 1), mirrored at random in training, to probabilities
        (N, K).
    """
    layers = keras.layers
    faces = keras.Input((FACE_SIZE, FACE_SIZE, 1), dtype="uint8", name="faces")
    features = layers.Rescaling(1 / 127.5, offset=-1)(faces)
    features = layers.RandomFlip("horizontal")(features)
    for width in filters:
        features = layers.Conv2D(width, 3, padding="same", use_bias=False)(features)
        features = layers.BatchNormalization(momentum=0.9)(features)
        features = layers.ReLU()(features)
        features = layers.MaxPooling2D()(features)
    features = layers.Flatten()(features)
    features = layers.Dropout(dropout)(features)
    probabilities = layers.Dense(num_classes, "softmax", name="probabilities")(features)
    return keras.Model(faces, probabilities, name="crossval")


def train_network(
    faces: np.ndarray,
    labels: np.ndarray,
    *,
    settings: CrossvalSettings,
    num_classes: int,
    seed: int,
) -> keras.Model:
    """Trains a network on all the given faces.

    Args:
        faces: uint8 (N, 48, 48, 1).
        labels: int64 (N,), 0 to K - 1.
        settings: The recipe.
        num_classes: K.
        seed: Seed of the order of the faces.
    """
    model = build_network(settings.filters, dropout=settings.dropout, num_classes=num_classes)
    steps = settings.epochs * -(-len(faces) // settings.batch_size)
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=settings.learning_rate / 10,
        warmup_target=settings.learning_rate,
        warmup_steps=steps // 10,
        decay_steps=steps - steps // 10,
    )
    model.compile(
        optimizer=keras.optimizers.Adam(schedule),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    batches = training_batches(faces, labels, batch_size=settings.batch_size, seed=seed)
    verbose = 1 if sys.stderr.isatty() else 2  # a bar on a terminal, a line an epoch in a log
    model.fit(batches, epochs=settings.epochs, shuffle=False, verbose=verbose)
    return model


def score_fold(
    assignments: pd.DataFrame,
    faces: np.ndarray,
    *,
    fold: int,
    settings: CrossvalSettings,
    expressions: tuple[str, ...],
) -> pd.DataFrame:
    """Trains on all folds but one, and scores that one, and the Testing faces.

    Excluded faces (twins of Testing faces, dropped faces) are scored like others, and never trained on.

    Args:
        assignments: N faces with `path`, `pixel_hash`, `source`, `label`, `role` and `fold`.
        faces: uint8 (N, 48, 48), in the same order.
        fold: The fold to score.
        settings: The recipe.
        expressions: The classes, in the order of the columns of the probabilities.

    Returns:
        One row a scored face, in order: `path`, `pixel_hash`, `source`, `fold` and `probabilities`,
        (K,), out of sample.

    Raises:
        UserError: No face has that fold.
    """
    held_out = (assignments[FOLD] == fold).to_numpy()
    if not held_out.any():
        raise stage.UserError(
            f"no face is in fold {fold} (folds: 0 to {assignments[FOLD].max()}): the folds that "
            "`crossval` lists in dvc.yaml and `split.num_folds` must agree"
        )
    testing = (assignments[FOLD] == NO_FOLD).to_numpy()
    trained_on = ~held_out & ~testing & (assignments[ROLE] != EXCLUDED).to_numpy()
    label_numbers = {expression: number for number, expression in enumerate(expressions)}
    labels = assignments[LABEL].map(label_numbers).to_numpy(np.int64)
    model = train_network(
        faces[trained_on][..., None],
        labels[trained_on],
        settings=settings,
        num_classes=len(expressions),
        seed=settings.seed + fold,
    )
    scored = held_out | testing
    probabilities = model.predict(faces[scored][..., None], batch_size=512, verbose=0)
    rows = assignments.loc[scored, [PATH, PIXEL_HASH, SOURCE]].assign(**{FOLD: fold})
    accuracy = np.mean(probabilities.argmax(axis=1)[held_out[scored]] == labels[held_out])
    logger.info("crossval: fold %d, accuracy %.4f on its %d faces", fold, accuracy, held_out.sum())
    return with_probabilities(rows, probabilities)


def main() -> None:
    """Reads the faces and their folds, writes the probabilities of one fold."""
    flags = stage.parse_flags(
        __doc__, "manifest", "pixels", "assignments", "decisions", "probabilities", fold=int
    )
    settings = read_settings(CrossvalSettings, "crossval")
    expressions = read_settings(DataSettings, "data").expressions
    make_repeatable(settings.seed + flags.fold, deterministic=settings.deterministic)
    manifest, faces = read_faces(flags.manifest, flags.pixels)
    assignments = read_table(flags.assignments).merge(manifest[[PATH, SOURCE, LABEL]], on=PATH)
    decisions = read_decisions(flags.decisions, manifest, expressions=expressions)
    assignments = apply_decisions(assignments, decisions)
    scored = score_fold(
        assignments, faces, fold=flags.fold, settings=settings, expressions=expressions
    )
    write_table(scored, flags.probabilities)


if __name__ == "__main__":
    stage.run(main)
