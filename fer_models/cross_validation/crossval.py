"""Predicts the faces of a fold out of sample, by fold models that were trained on the other folds.

A killed run resumes after the last finished epoch.
"""

import json
import logging
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from fer_data.annotation.apply_decisions import apply_decisions, decisions_on, read_accepted
from fer_data.annotation.decision_marks import MARK, mark_of
from fer_data.core.errors import UserError
from fer_data.core.face_store import read_faces
from fer_data.core.schema import (
    EXCLUDED,
    FOLD,
    LABEL,
    NEAR_GROUP,
    NEIGHBORS,
    NO_FOLD,
    ORIGINAL_SPLIT,
    PATH,
    PIXEL_HASH,
    SPLIT,
)
from fer_data.core.tables import (
    original_splits,
    read_table,
    with_probabilities,
    write_table,
)
from fer_data.stages import stage
from fer_data.stages.settings import DataSettings, read_settings
from fer_models.calibration.temperature_scaling import fit_temperature, softmax
from fer_models.core.devices import dtype_policy, in_words, precision, strategy
from fer_models.core.input_pipeline import make_repeatable, ordered_batches
from fer_models.cross_validation.crossval_settings import CrossvalSettings
from fer_models.cross_validation.neighbors import NUM_NEIGHBORS, nearest
from fer_models.networks.compact import build_model, flip_averaged, with_features
from fer_models.training.checkpoints import Checkpoints, fingerprint_of, open_checkpoints
from fer_models.training.conditions import conditions
from fer_models.training.resume_settings import ResumeSettings
from fer_models.training.samples import Samples, with_noisy_copies
from fer_models.training.trainer import fit

logger = logging.getLogger(__name__)

_PREDICTION_BATCH = 512


def predict_fold(
    assignments: pd.DataFrame,
    faces: np.ndarray,
    *,
    fold: int,
    settings: CrossvalSettings,
    expressions: tuple[str, ...],
    checkpoints: Checkpoints,
) -> pd.DataFrame:
    """Trains on all folds but one, and predicts that one and the Testing faces.

    Excluded faces (duplicates of Testing faces, and dropped ones) are predicted like others, and never
    trained on.

    Args:
        assignments: N faces with `path`, `pixel_hash`, `near_group`, `original_split`, `label`,
            `split` and `fold`.
        faces: uint8 (N, 48, 48), in the same order.
        fold: The fold to predict.
        settings: The training settings of the fold models.
        expressions: The classes, in the order of the columns of the probabilities.
        checkpoints: Those of this fold's trainings.

    Returns:
        One row a predicted face, in order: `path`, `pixel_hash`, `original_split`, `fold`,
        `probabilities`, (K,), calibrated and out of sample, and `neighbors`: for faces of the fold,
        the paths of the nearest training faces in the feature space of the fold models; else none.

    Raises:
        UserError: No face has that fold.
    """
    held_out = (assignments[FOLD] == fold).to_numpy()
    if not held_out.any():
        raise UserError(
            f"no face is in fold {fold} (folds: 0 to {assignments[FOLD].max()}): the folds that "
            "`pipeline.folds` and `split.num_folds` must agree"
        )
    testing = (assignments[FOLD] == NO_FOLD).to_numpy()
    # The other folds, divided: most groups train the fold models, a few calibrate them.
    others = ~held_out & ~testing & (assignments[SPLIT] != EXCLUDED).to_numpy()
    calibration = others & _sample_of_groups(
        assignments[NEAR_GROUP].to_numpy(), settings.calibration_fraction, settings.seed + fold
    )
    label_numbers = {expression: number for number, expression in enumerate(expressions)}
    labels = assignments[LABEL].map(label_numbers).to_numpy(np.int64)
    predictions = [
        _calibrated_predictions(
            *(faces[..., np.newaxis], labels),
            training=others & ~calibration,
            calibration=calibration,
            settings=settings.model_copy(update={"seed": settings.seed + fold + 100 * number}),
            num_classes=len(expressions),
            checkpoints=replace(checkpoints, folder=checkpoints.folder / str(number), resumed=[]),
        )
        for number in range(settings.num_networks)
    ]
    probabilities = np.mean([of_model for of_model, _ in predictions], axis=0)
    right = probabilities[held_out].argmax(axis=1) == labels[held_out]
    logger.info("crossval: fold %d: accuracy %.4f on its %d faces", fold, right.mean(), len(right))
    # Side by side, the features of several fold models are one space; each face's neighbors are among
    # the faces that trained them.
    nearby = nearest(
        np.concatenate([features for _, features in predictions], axis=1),
        queries=np.flatnonzero(held_out),
        candidates=np.flatnonzero(others & ~calibration),
        number=NUM_NEIGHBORS,
    )
    neighbors = dict(zip(np.flatnonzero(held_out), nearby, strict=True))
    paths = assignments[PATH].to_numpy(object)
    predicted = np.flatnonzero(held_out | testing)
    rows = assignments.loc[predicted, [PATH, PIXEL_HASH, ORIGINAL_SPLIT]].assign(**{FOLD: fold})
    lists = [list(paths[neighbors[row]]) if row in neighbors else None for row in predicted]
    return with_probabilities(rows.assign(**{NEIGHBORS: lists}), probabilities[predicted])


def _calibrated_predictions(
    faces: np.ndarray,
    labels: np.ndarray,
    *,
    training: np.ndarray,
    calibration: np.ndarray,
    settings: CrossvalSettings,
    num_classes: int,
    checkpoints: Checkpoints,
) -> tuple[np.ndarray, np.ndarray]:
    """Trains a fold model on some of the faces; returns calibrated probabilities and features of all."""
    make_repeatable(settings.seed, deterministic=settings.deterministic)
    with strategy().scope(), precision(dtype_policy(settings)):
        model = build_model(settings, num_classes)
    train, watched = (
        Samples(faces[rows], labels[rows], np.ones(rows.sum(), np.float32))
        for rows in (training, calibration)
    )
    checkpoints.folder.mkdir(exist_ok=True)
    fit(
        *(model, with_noisy_copies(train, settings), watched),
        settings=settings,
        logs=checkpoints.folder,
        checkpoints=checkpoints,
    )
    both = flip_averaged(with_features(model), settings)
    both.jit_compile = False
    silent: Any = 0  # Keras documents 0, 1 and 2, and types the default, "auto", alone
    outputs = both.predict(ordered_batches(faces, batch_size=_PREDICTION_BATCH), verbose=silent)
    features, probabilities = np.split(np.asarray(outputs), [-num_classes], axis=1)
    logits = np.log(np.maximum(probabilities, np.finfo(np.float32).tiny))
    # Temperature scaling on faces that the model was not trained on (Guo et al., 2017).
    temperature = fit_temperature(logits[calibration], labels[calibration])
    return softmax(logits / temperature), features


def _sample_of_groups(groups: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """Samples a fraction of the groups, int (N,), at least one: the mask of their rows, bool (N,)."""
    distinct = np.unique(groups)
    number = max(1, round(fraction * len(distinct)))
    return np.isin(groups, np.random.default_rng(seed).permutation(distinct)[:number])


def main() -> None:
    """Reads the faces and their folds, writes the probabilities and neighbors of one fold."""
    flags = stage.parse_flags(
        __doc__,
        *("manifest", "pixels", "assignments", "decisions", "checkpoints", "probabilities"),
        fold=int,
    )
    settings = read_settings(CrossvalSettings, "crossval")
    resume = read_settings(ResumeSettings, "checkpoints").resume
    data = read_settings(DataSettings, "data")
    expressions, retired = data.expressions, data.retired_expressions
    manifest, faces = read_faces(flags.manifest, flags.pixels)
    assignments = read_table(flags.assignments)
    placed = manifest[[PATH, LABEL]].assign(
        **{ORIGINAL_SPLIT: original_splits(manifest, assignments)}
    )
    assignments = assignments.merge(placed[[PATH, ORIGINAL_SPLIT, LABEL]], on=PATH)
    # Before the decisions are read: a mark may miss a decision, and never claims one that was not read.
    mark = mark_of(flags.decisions)
    accepted = read_accepted(flags.decisions, expressions=data.known_expressions)
    decisions = decisions_on(manifest, accepted, file=flags.decisions, retired=retired)
    assignments = apply_decisions(assignments, decisions)
    logger.info("crossval: fold %d, on %s", flags.fold, in_words())
    # Of the rows in any form: columns hold text, numbers and, of decisions, nothing.
    rows = pd.util.hash_pandas_object(assignments.astype(str), index=False).to_numpy()
    recipe = {**settings.model_dump(mode="json"), "fold": flags.fold, "expressions": expressions}
    with open_checkpoints(
        *(flags.checkpoints, fingerprint_of(recipe, rows, faces, files=[])),
        conditions=conditions(dtype_policy(settings), num_devices=strategy().num_replicas_in_sync),
        exact=resume == "exact",
    ) as checkpoints:
        predicted = predict_fold(
            *(assignments, faces),
            fold=flags.fold,
            settings=settings,
            expressions=expressions,
            checkpoints=checkpoints,
        )
        write_table(
            *(predicted, flags.probabilities),
            metadata={MARK: json.dumps(mark, allow_nan=False)},
            expressions=expressions,
        )


if __name__ == "__main__":
    stage.run(main)
