"""Predicts the faces of a fold out of sample, by fold models that were trained on the other folds."""

import json
import logging

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
from fer_data.core.tables import read_table, with_probabilities, write_table
from fer_data.stages import stage
from fer_data.stages.settings import DataSettings, read_settings
from fer_models.calibration.temperature_scaling import fit_temperature, softmax
from fer_models.core.input_pipeline import make_repeatable
from fer_models.cross_validation.crossval_settings import CrossvalSettings
from fer_models.cross_validation.fold_models import features_and_logits, train_fold_model
from fer_models.cross_validation.neighbors import nearest

logger = logging.getLogger(__name__)


def predict_fold(
    assignments: pd.DataFrame,
    faces: np.ndarray,
    *,
    fold: int,
    settings: CrossvalSettings,
    expressions: tuple[str, ...],
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
            "`crossval` lists in dvc.yaml and `split.num_folds` must agree"
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
            *(faces, np.eye(len(expressions), dtype=np.float32)[labels]),
            training=others & ~calibration,
            calibration=calibration,
            settings=settings,
            seed=settings.seed + fold + 100 * number,
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
        number=settings.num_neighbors,
    )
    neighbors = dict(zip(np.flatnonzero(held_out), nearby, strict=True))
    paths = assignments[PATH].to_numpy(object)
    predicted = np.flatnonzero(held_out | testing)
    rows = assignments.loc[predicted, [PATH, PIXEL_HASH, ORIGINAL_SPLIT]].assign(**{FOLD: fold})
    lists = [list(paths[neighbors[row]]) if row in neighbors else None for row in predicted]
    return with_probabilities(rows.assign(**{NEIGHBORS: lists}), probabilities[predicted])


def _calibrated_predictions(
    faces: np.ndarray,
    targets: np.ndarray,
    *,
    training: np.ndarray,
    calibration: np.ndarray,
    settings: CrossvalSettings,
    seed: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Trains a fold model on some of the faces; returns calibrated probabilities and features of all."""
    make_repeatable(seed, deterministic=settings.deterministic)
    model = train_fold_model(faces[training], targets[training], settings=settings, seed=seed)
    features, logits = features_and_logits(model, faces, smoothed=settings.interpolates)
    # Temperature scaling on faces that the model was not trained on (Guo et al., 2017).
    temperature = fit_temperature(logits[calibration], targets[calibration].argmax(axis=1))
    return softmax(logits / temperature), features


def _sample_of_groups(groups: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """Samples a fraction of the groups, int (N,), at least one: the mask of their rows, bool (N,)."""
    distinct = np.unique(groups)
    number = max(1, round(fraction * len(distinct)))
    return np.isin(groups, np.random.default_rng(seed).permutation(distinct)[:number])


def main() -> None:
    """Reads the faces and their folds, writes the probabilities and neighbors of one fold."""
    flags = stage.parse_flags(
        __doc__, "manifest", "pixels", "assignments", "decisions", "probabilities", fold=int
    )
    settings = read_settings(CrossvalSettings, "crossval")
    data = read_settings(DataSettings, "data")
    expressions, retired = data.expressions, data.retired_expressions
    manifest, faces = read_faces(flags.manifest, flags.pixels)
    assignments = read_table(flags.assignments).merge(
        manifest[[PATH, ORIGINAL_SPLIT, LABEL]], on=PATH
    )
    # Before the decisions are read: a mark may miss a decision, and never claims one that was not read.
    mark = mark_of(flags.decisions)
    accepted = read_accepted(flags.decisions, expressions=data.known_expressions)
    decisions = decisions_on(manifest, accepted, file=flags.decisions, retired=retired)
    assignments = apply_decisions(assignments, decisions)
    predicted = predict_fold(
        assignments, faces, fold=flags.fold, settings=settings, expressions=expressions
    )
    write_table(
        *(predicted, flags.probabilities),
        metadata={MARK: json.dumps(mark, allow_nan=False)},
        expressions=expressions,
    )


if __name__ == "__main__":
    stage.run(main)
