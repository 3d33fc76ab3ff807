"""Trains a head on what frozen models say: a table a member in, one model of faces out.

The members have run once, in the stages `frozen@MEMBER`; an epoch of the head takes a second. Killed and
started again, it goes on after the last finished epoch.
"""

import json
import logging
from collections.abc import Mapping

import numpy as np

from fer_data import records, stage
from fer_data.params import read_settings
from fer_data.schema import TRAIN, VALIDATION
from fer_models.batches import make_repeatable
from fer_models.checkpoints import checkpoints, fingerprint_of
from fer_models.combinations import HEAD, combinations
from fer_models.conditions import conditions
from fer_models.ensemble_settings import EnsembleSettings
from fer_models.inference import read_model
from fer_models.members import MEMBER_ROLES, build_head, join, read_outputs
from fer_models.saving import save_model
from fer_models.summary import summary_of
from fer_models.trainer import Samples, fit
from fer_models.training_settings import TrainingSettings
from fer_models.zoo import PaperFigures

logger = logging.getLogger(__name__)

TITLE = "Frozen ensemble"
PAPER = PaperFigures(accuracy=0.7207, val_accuracy=0.6672)


def samples_of(
    outputs: Mapping[str, Mapping[str, np.ndarray]], examples: records.Examples, *, role: str
) -> Samples:
    """What the head learns from.

    Args:
        outputs: For each of M members and each role, float32 (N, K).
        examples: The N faces of the role.
        role: The role.

    Returns:
        Inputs float32 (N, M K), with the labels and weights of the faces.
    """
    inputs = np.concatenate([said[role] for said in outputs.values()], axis=1)
    return Samples(inputs, examples.labels, examples.weights)


def main() -> None:
    """Reads the members and their outputs, writes the ensemble's folder and its training report."""
    flags = stage.parse_flags(
        __doc__, "records", "frozen", "members", "checkpoints", "model_folder", "report"
    )
    settings = read_settings(EnsembleSettings, "ensemble")
    resume = read_settings(TrainingSettings, "training").resume
    make_repeatable(settings.seed, deterministic=settings.deterministic)
    expressions = records.expressions(flags.records)
    examples = {role: records.read_role(flags.records, role) for role in MEMBER_ROLES}
    files = {name: flags.members / name / "model.keras" for name in settings.members}
    members = {name: read_model(file, expressions=expressions) for name, file in files.items()}
    outputs = {
        name: read_outputs(
            *(flags.frozen / f"{name}.parquet", file), examples=examples, expressions=expressions
        )
        for name, file in files.items()
    }
    train, validation = (
        samples_of(outputs, examples[role], role=role) for role in (TRAIN, VALIDATION)
    )
    head = build_head(len(members), len(expressions))
    fingerprint = fingerprint_of(
        settings.model_dump(mode="json"),
        *(train.inputs, train.labels, train.weights, validation.inputs, validation.labels),
        files=[],
    )
    with (
        checkpoints(
            *(flags.checkpoints, fingerprint),
            conditions=conditions(head.dtype_policy.name, num_devices=1),
            exact=resume == "exact",
        ) as kept,
        stage.written_beside(flags.report, replace_folder=True) as report,
    ):
        report.mkdir()
        history = fit(head, train, validation, recipe=settings, logs=report, kept=kept)
        history.to_csv(report / "history.csv", index=False)
        model = join(members, head)
        combined = combinations(
            validation.labels,
            {name: said[VALIDATION] for name, said in outputs.items()},
            np.asarray(head.predict(validation.inputs, batch_size=512, verbose=0)),
            seed=settings.seed,
        )
        summary = {
            "model": "ensemble",
            "parameters": model.count_params(),
            "train_faces": len(train.labels),
            "validation_faces": len(validation.labels),
            **summary_of(history, settings, title=TITLE, paper=PAPER),
            **({"resumed": kept.resumed} if kept.resumed else {}),
            "combinations": combined,
        }
        text = json.dumps(summary, indent=2, allow_nan=False) + "\n"
        (report / "summary.json").write_text(text, encoding="utf-8")
        save_model(model, flags.model_folder / "model.keras", expressions=expressions)
    logger.info(
        "ensemble: of %s: validation accuracy %.4f, its best member %s %.4f -> %s",
        *(", ".join(members), combined["ways"][HEAD]["accuracy"], combined["best_member"]),
        *(combined["members"][combined["best_member"]]["accuracy"], flags.model_folder),
    )


if __name__ == "__main__":
    stage.run(main)
