"""Writes a model card in Markdown: what a model is, its metrics, its limits.

The parts are those of Mitchell et al., Model Cards for Model Reporting (2019), as far as this data can
tell. The same model, records and settings give the same bytes: no date and no measured time.
"""

from collections.abc import Mapping
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
    """Of the records of `train`, file after file."""


def hashes_of(model: Path, records: Path) -> Hashes:
    """Hashes a model and the records it was trained on.

    Args:
        model: Its file.
        records: The folder of records.

    Raises:
        UserError: There are no records of `train`.
    """
    files = sorted(records.glob(f"{NAME}-{TRAIN}.tfrecord-*"))
    if not files:
        raise UserError(
            f"{records} has no records of the split '{TRAIN}': "
            "`dvc repro tfrecords` makes them, `dvc pull` fetches them"
        )
    return Hashes(model=sha256_of(model), train_records=sha256_of(*files))


def model_card(training: Mapping[str, Any], measured: Mapping[str, Any], hashes: Hashes) -> str:
    """Renders the card.

    Args:
        training: `summary.json` of the model's training.
        measured: What `fer_models.evaluation.all_metrics.model_metrics` returns for it.
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
    by_recall = sorted(of_classes, key=lambda name: of_classes[name]["recall"])
    return environment.get_template("model_card.md.j2").render(
        training=training,
        settings=yaml.safe_dump(settings, sort_keys=False).rstrip(),
        weights=settings.get("weights", "none"),
        members=settings.get("members", []),
        test=measured[TEST],
        validation=measured[VALIDATION],
        protocol=measured["protocol"],
        without_duplicates=measured["without_duplicates"],
        calibration=measured["calibration"],
        sets=measured["conformal"],
        worst=by_recall[0],
        best=by_recall[-1],
        hashes=hashes,
        train_records=f"{NAME}-{TRAIN}.tfrecord-*",
    )
