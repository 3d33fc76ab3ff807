"""Writes a model card in Markdown: what a model is, its metrics, its limits.

The parts are those of Mitchell et al., Model Cards for Model Reporting (2019), as far as this data can
tell. The same model, records and settings give the same bytes: no date and no measured time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined

from fer_data.core.errors import UserError
from fer_data.core.files import sha256_of
from fer_data.core.schema import TEST, TRAIN, VALIDATION
from fer_data.core.tfrecord import NAME
from fer_data.web.html import count, decimal, percent


@dataclass(frozen=True)
class Hashes:
    """SHA-256 hashes of the files that a card describes, in hexadecimal."""

    model: str
    """Of the model's file."""
    train_records: str
    """Of the records that it learned from, file after file."""


def hashes_of(model: Path, records: Path, *, splits: Sequence[str] = (TRAIN,)) -> Hashes:
    """Hashes a model and the records it was trained on.

    Args:
        model: Its file.
        records: The folder of records.
        splits: Those that it learned from.

    Raises:
        UserError: There are no records of one of them.
    """
    files: list[Path] = []
    for split in splits:
        of_split = sorted(records.glob(_files_of(split)))
        if not of_split:
            raise UserError(
                f"{records} has no records of the split '{split}': "
                "`dvc repro tfrecords` makes them, `dvc pull` fetches them"
            )
        files += of_split
    return Hashes(model=sha256_of(model), train_records=sha256_of(*files))


def model_card(training: Mapping[str, Any], measured: Mapping[str, Any], hashes: Hashes) -> str:
    """Renders the card.

    Args:
        training: `summary.json` of the model's training. One that has learned `validation` too names as
            `held_out_model` the model whose predictions for it the temperature and the sets come from.
        measured: What `fer_models.evaluation.all_metrics.model_metrics` returns for it; without
            `validation` if it has learned that.
        hashes: Of the model and of its training records.

    Returns:
        Markdown; every metric has its number of faces and, where it is estimated, its interval.
    """
    environment = Environment(
        loader=PackageLoader("fer_models.evaluation"),
        autoescape=False,  # Markdown: whoever puts it into a page escapes it there
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(count=count, decimal=decimal, percent=percent)
    settings, of_classes = training["settings"], measured[TEST]["per_class"]
    learned = (TRAIN, VALIDATION) if "held_out_model" in training else (TRAIN,)
    by_recall = sorted(of_classes, key=lambda name: of_classes[name]["recall"])
    return environment.get_template("model_card.md.j2").render(
        training=training,
        settings=yaml.safe_dump(settings, sort_keys=False).rstrip(),
        weights=settings.get("weights", "none"),
        members=settings.get("members", []),
        test=measured[TEST],
        validation=measured.get(VALIDATION),
        held_out_model=training.get("held_out_model"),
        protocol=measured["protocol"],
        without_duplicates=measured["without_duplicates"],
        calibration=measured["calibration"],
        sets=measured["conformal"],
        worst=by_recall[0],
        best=by_recall[-1],
        hashes=hashes,
        train_records=" ".join(map(_files_of, learned)),
    )


def _files_of(split: str) -> str:
    """The pattern of a split's records."""
    return f"{NAME}-{split}.tfrecord-*"
