"""The baseline: statistics of the last archive that a person accepted."""

from pathlib import Path

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from fer_data.core.errors import UserError
from fer_data.core.schema import LABEL, MEAN, ORIGINAL_SPLIT, STD
from fer_data.stages.stage import json_text


class Spread(BaseModel):
    """Mean and standard deviation of a metric over the faces of a folder."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    mean: float
    """In gray levels, as the next."""
    std: float = Field(ge=0)


class Baseline(BaseModel):
    """Statistics that the expectations compare the next archive with."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    accepted_by: str
    """Who accepted the archive."""
    accepted_at: str
    """When, as `clock.now` gives it."""
    faces: int = Field(ge=1)
    """How many it held."""
    counts: dict[str, int]
    """How many of each class and folder: `training/angry`."""
    brightness: dict[str, Spread]
    """The faces' means, by folder: `training`, `testing`."""
    contrast: dict[str, Spread]
    """The faces' standard deviations, by folder."""

    def spread(self, original_split: str, column: str) -> Spread | None:
        """The spread of a manifest's column, `mean` or `std`, in a folder; None without faces."""
        return {MEAN: self.brightness, STD: self.contrast}[column].get(original_split)


_FILE: TypeAdapter[Baseline | None] = TypeAdapter(Baseline | None)


def baseline_of(manifest: pd.DataFrame, *, by: str, at: str) -> Baseline:
    """Computes the baseline of an archive.

    Args:
        manifest: Its faces, at least one.
        by: Who accepts it.
        at: When.
    """
    counts = class_folders(manifest).value_counts().sort_index()
    return Baseline(
        accepted_by=by,
        accepted_at=at,
        faces=len(manifest),
        counts={str(name): int(count) for name, count in counts.items()},
        brightness=_spreads(manifest, MEAN),
        contrast=_spreads(manifest, STD),
    )


def _spreads(manifest: pd.DataFrame, column: str) -> dict[str, Spread]:
    return {
        str(original_split): Spread(mean=float(values.mean()), std=float(values.std(ddof=0)))
        for original_split, values in manifest.groupby(ORIGINAL_SPLIT)[column]
    }


def class_folders(manifest: pd.DataFrame) -> pd.Series:
    """Each face's folder and class: `training/angry`."""
    return manifest[ORIGINAL_SPLIT] + "/" + manifest[LABEL]


def read_baseline(file: Path) -> Baseline | None:
    """The accepted baseline, or None if the file says `null`: none was accepted yet.

    Raises:
        UserError: The file is missing, or holds something else.
    """
    try:
        return _FILE.validate_json(file.read_bytes())
    except FileNotFoundError:
        raise UserError(f"{file} is missing: `git checkout {file}` brings it back") from None
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "the whole"
        raise UserError(
            f"{file} is no baseline of an archive: {key}: {' '.join(first['msg'].split())}: "
            "`ferflow accept-baseline` makes one; null is none"
        ) from None


def baseline_text(baseline: Baseline) -> str:
    """The file's content."""
    return json_text(baseline.model_dump(), of="the archive's baseline", ensure_ascii=False)
