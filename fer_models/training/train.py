"""Trains one model of the registry on the TFRecords; writes `model.keras`, its history and its logs.

A killed run resumes after the last finished epoch.
"""

import logging
from pathlib import Path

from fer_data.core import tfrecord
from fer_data.core.errors import UserError
from fer_data.core.files import atomic_write
from fer_data.core.schema import TRAIN, VALIDATION
from fer_data.stages import stage
from fer_data.stages.settings import read_settings
from fer_models.core.devices import dtype_policy, in_words, precision, strategy
from fer_models.core.input_pipeline import make_repeatable
from fer_models.core.prediction import read_model
from fer_models.core.serialization import save_model
from fer_models.core.training_settings import TrainingSettings
from fer_models.networks.registry import model_named, settings_of
from fer_models.training.checkpoints import fingerprint_of, open_checkpoints
from fer_models.training.conditions import conditions
from fer_models.training.resume_settings import ResumeSettings
from fer_models.training.samples import Samples, with_noisy_copies
from fer_models.training.summary import summary_of
from fer_models.training.trainer import fit

logger = logging.getLogger(__name__)

MODEL_FILE = "model.keras"


def main() -> None:
    """Reads the TFRecords, writes the model's folder and its training report."""
    flags = stage.parse_flags(
        __doc__, "records", "starts_from", "checkpoints", "model_folder", "report", model=str
    )
    row = model_named(flags.model)
    settings = settings_of(flags.model)
    resume = read_settings(ResumeSettings, "checkpoints").resume
    make_repeatable(settings.seed, deterministic=settings.deterministic)
    train, validation = (samples_of(flags.records, split) for split in (TRAIN, VALIDATION))
    logger.info("train: %s, %d faces, on %s", flags.model, len(train.labels), in_words())
    expressions = tfrecord.expressions(flags.records)
    distribution, policy = strategy(), dtype_policy(settings)
    taught_by = teacher_files(flags.model, settings, flags.starts_from)
    with distribution.scope(), precision(policy):
        model = row.build(settings, len(expressions))
        teachers = [read_model(file, expressions=expressions) for file in taught_by]
    shares = () if train.shares is None else (train.shares,)
    fingerprint = fingerprint_of(
        settings.model_dump(mode="json"),
        *(train.inputs, train.labels, train.weights, validation.inputs, validation.labels),
        *shares,
        files=[*row.files(settings), *taught_by],
    )
    with (
        open_checkpoints(
            *(flags.checkpoints, fingerprint),
            conditions=conditions(policy, num_devices=distribution.num_replicas_in_sync),
            exact=resume == "exact",
        ) as checkpoints,
        atomic_write(flags.report, replace_folder=True) as report,
    ):
        report.mkdir()
        history = fit(
            *(model, with_noisy_copies(train, settings), validation),
            settings=settings,
            logs=report,
            checkpoints=checkpoints,
            teacher=teachers[0] if teachers else None,
        )
        history.to_csv(report / "history.csv", index=False)
        summary = {
            "model": flags.model,
            "parameters": model.count_params(),
            "train_faces": len(train.labels),
            "validation_faces": len(validation.labels),
            **summary_of(history, settings, title=row.title_with(settings), paper=row.paper),
            **({"teacher": flags.starts_from.name} if teachers else {}),
            **({"resumed": checkpoints.resumed} if checkpoints.resumed else {}),
        }
        text = stage.json_text(summary, of=flags.report / "summary.json")
        (report / "summary.json").write_text(text, encoding="utf-8")
        save_model(model, flags.model_folder / MODEL_FILE, expressions=expressions)
    accuracy = history["val_accuracy"].iloc[summary["saved_epoch"] - 1]
    logger.info(
        "train: %s, weights of epoch %d: val_accuracy %.4f -> %s",
        *(flags.model, summary["saved_epoch"], accuracy, flags.model_folder),
    )


def teacher_files(model: str, settings: TrainingSettings, starts_from: Path) -> list[Path]:
    """The file of the model that teaches another, a list of one; none where none does.

    Args:
        model: The name of the model to train.
        settings: Its settings.
        starts_from: The folder that its training starts from.

    Raises:
        UserError: The settings want a teacher, and that folder holds no model.
    """
    file = starts_from / MODEL_FILE
    if not settings.teacher_weight:
        if file.exists():
            logger.info("train: %s learns nothing from %s: teacher_weight is 0", model, file)
        return []
    if not file.is_file():
        raise UserError(
            f"models.{model}.teacher_weight is {settings.teacher_weight:g}, and {starts_from} holds no "
            f"{MODEL_FILE}: expected pipeline.models.{model}.starts_from to be the folder of a trained "
            "model, such as models/compact"
        )
    return [file]


def samples_of(folder: Path, split: str) -> Samples:
    """Reads the faces of a split from the records; labels of `validation` are never soft."""
    examples = tfrecord.read_split(folder, split)
    shares = examples.shares if split == TRAIN else None
    return Samples(examples.faces, examples.labels, examples.weights, shares)


if __name__ == "__main__":
    stage.run(main)
