"""Trains the ensemble: fits several combiners of its members and saves the one with the lowest loss.

The members predict once, in the stages `member_predictions@MEMBER`; an epoch of the head then takes a
second. A killed run resumes after the last finished epoch.
"""

import logging
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from fer_data.core import tfrecord
from fer_data.core.files import atomic_write
from fer_data.core.schema import NEAR_GROUP, TRAIN, VALIDATION
from fer_data.core.tables import read_table, values_of
from fer_data.stages import stage
from fer_data.stages.settings import read_settings
from fer_models.core.input_pipeline import make_repeatable
from fer_models.core.out_of_sample import write_cross_fitted
from fer_models.core.prediction import read_model
from fer_models.core.serialization import save_model
from fer_models.networks.registry import PaperMetrics
from fer_models.stacking.comparison import HEAD, combinations
from fer_models.stacking.ensemble_settings import EnsembleSettings
from fer_models.stacking.heads import COMBINERS, cross_fitted, folds_of
from fer_models.stacking.members import MEMBER_SPLITS, build_head, join, read_member_predictions
from fer_models.training.checkpoints import fingerprint_of, open_checkpoints
from fer_models.training.conditions import conditions
from fer_models.training.resume_settings import ResumeSettings
from fer_models.training.samples import Samples
from fer_models.training.summary import summary_of
from fer_models.training.trainer import fit

logger = logging.getLogger(__name__)

TITLE = "Frozen ensemble"
PAPER = PaperMetrics(accuracy=0.7207, val_accuracy=0.6672)


def samples_of(
    outputs: Mapping[str, Mapping[str, np.ndarray]], examples: tfrecord.Examples, *, split: str
) -> Samples:
    """Puts the members' probabilities side by side, as inputs of the head.

    Args:
        outputs: For each of M members and each split, float32 (N, K).
        examples: The N faces of the split.
        split: The split.

    Returns:
        Inputs float32 (N, M K), with the labels and weights of the faces.
    """
    inputs = np.concatenate([member[split] for member in outputs.values()], axis=1)
    return Samples(inputs, examples.labels, examples.weights)


def near_groups(assignments: pd.DataFrame, paths: Sequence[str]) -> np.ndarray:
    """Looks up the groups of duplicates, exact and near, of N faces; a fold holds whole groups.

    Args:
        assignments: `path` and `near_group` of all faces, as the stage `split` writes them.
        paths: The N faces.

    Returns:
        int64 (N,).

    Raises:
        UserError: A face has no group.
    """
    return values_of(assignments, NEAR_GROUP, paths).to_numpy(np.int64)


def main() -> None:
    """Reads the members and their outputs, writes the ensemble's folder and its training report."""
    flags = stage.parse_flags(
        *(__doc__, "records", "assignments", "member_predictions", "members"),
        *("checkpoints", "model_folder", "report"),
    )
    settings = read_settings(EnsembleSettings, "ensemble")
    resume = read_settings(ResumeSettings, "checkpoints").resume
    make_repeatable(settings.seed, deterministic=settings.deterministic)
    expressions = tfrecord.expressions(flags.records)
    examples = {split: tfrecord.read_split(flags.records, split) for split in MEMBER_SPLITS}
    groups = near_groups(read_table(flags.assignments), examples[VALIDATION].paths)
    files = {name: flags.members / name / "model.keras" for name in settings.members}
    members = {name: read_model(file, expressions=expressions) for name, file in files.items()}
    outputs = {
        name: read_member_predictions(
            *(flags.member_predictions / f"{name}.parquet", file),
            examples=examples,
            expressions=expressions,
        )
        for name, file in files.items()
    }
    train, validation = (
        samples_of(outputs, examples[split], split=split) for split in (TRAIN, VALIDATION)
    )
    head = build_head(len(members), len(expressions))
    fingerprint = fingerprint_of(
        settings.model_dump(mode="json"),
        *(train.inputs, train.labels, train.weights, validation.inputs, validation.labels),
        files=[],
    )
    with (
        open_checkpoints(
            *(flags.checkpoints, fingerprint),
            conditions=conditions(head.dtype_policy.name, num_devices=1),
            exact=resume == "exact",
        ) as checkpoints,
        atomic_write(flags.report, replace_folder=True) as report,
    ):
        report.mkdir()
        history = fit(
            head, train, validation, settings=settings, logs=report, checkpoints=checkpoints
        )
        history.to_csv(report / "history.csv", index=False)
        validation_faces = examples[VALIDATION]
        of_members = {name: splits[VALIDATION] for name, splits in outputs.items()}
        side_by_side = np.stack(list(of_members.values()), axis=1)  # (N, M, K)
        folds = folds_of(
            validation.labels,
            groups,
            num_folds=settings.stacking_folds,
            seed=settings.seed,
        )
        ways = {
            name: cross_fitted(
                *(way, side_by_side, validation.labels), folds=folds, l2=settings.stacking_l2
            )
            for name, way in COMBINERS.items()
        }
        # The paper's head is trained on `train`; these faces only chose its best epoch.
        ways[HEAD] = np.asarray(head.predict(validation.inputs, batch_size=512, verbose=0))
        combined = combinations(validation.labels, of_members, ways, seed=settings.seed)
        chosen = combined["best_way"] if settings.head == "best" else settings.head
        combined |= {"chosen": chosen, "chosen_by": settings.head, "folds": int(folds.max()) + 1}
        top = head
        if chosen != HEAD:
            fitted = COMBINERS[chosen].fit(side_by_side, validation.labels, l2=settings.stacking_l2)
            top = fitted.layers
        model = join(members, top)
        summary = {
            "model": "ensemble",
            "parameters": model.count_params(),
            "train_faces": len(train.labels),
            "validation_faces": len(validation.labels),
            **summary_of(history, settings, title=TITLE, paper=PAPER),
            **({"resumed": checkpoints.resumed} if checkpoints.resumed else {}),
            "combinations": combined,
        }
        text = stage.json_text(summary, of=flags.report / "summary.json")
        (report / "summary.json").write_text(text, encoding="utf-8")
        file = flags.model_folder / "model.keras"
        save_model(model, file, expressions=expressions)
        write_cross_fitted(ways[chosen], validation_faces, model=file)
    logger.info(
        "ensemble: of %s by '%s': validation accuracy %.4f, its best member %s %.4f -> %s",
        *(", ".join(members), chosen, combined["ways"][chosen]["accuracy"]),
        combined["best_member"],
        *(combined["members"][combined["best_member"]]["accuracy"], flags.model_folder),
    )


if __name__ == "__main__":
    stage.run(main)
