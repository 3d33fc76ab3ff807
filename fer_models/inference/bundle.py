"""Packs trained models, their metrics and their cards into a bundle.

Equal models make equal bundles, to the byte.
"""

import hashlib
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fer_data.core.catalog import output
from fer_data.core.errors import UserError
from fer_data.core.files import atomic_write
from fer_data.core.own_files import refuse_foreign
from fer_data.core.schema import VALIDATION
from fer_data.core.tfrecord import read_split
from fer_data.stages.stage import json_text
from fer_models.core.class_names import check_expressions_in_use
from fer_models.inference.bundle_reader import CONTENTS, VERSION, Bundle, Contents
from fer_models.inference.pretrained.half_precision import (
    MOST_DIFFERENCE,
    difference,
    in_half_precision,
)
from fer_models.inference.sources import CARD, FILES, METRICS, MODEL, Source, Workspace
from fer_models.inference.stored_metrics import Metrics, read_measured

_COMMAND = "ferflow bundle"
_NO_DATE = (1980, 1, 1, 0, 0, 0)
_HALF = """
## This copy

`ferflow bundle {name} --half` packed it{where}. Its kernels are rounded to half precision (float16); the
figures above were measured with the file that the section *Model* names.
"""


def pack_workspace(
    folder: Path, names: Sequence[str], target: Path, *, revision: str | None, half: bool = False
) -> list[str]:
    """Packs models of a workspace.

    Args:
        folder: The workspace.
        names: The models; none stands for all that are there.
        target: The file to write.
        revision: The commit that the models come from.
        half: Whether kernels are rounded to half precision, which halves the file. Each model is then
            compared with the original on the faces of `validation`.

    Returns:
        Lines that say what was packed, and what was left out since it is missing.

    Raises:
        UserError: A named model is unknown or missing, there is none at all, or `target` is there and
            is no bundle; or rounding changes a probability by more than `MOST_DIFFERENCE`; nothing is
            written.
    """
    refuse_foreign(target, is_own=_is_bundle, command=_COMMAND)
    source = Workspace(folder)
    for name in names:
        if name not in source.names:
            raise UserError(f"no model '{name}': expected some of {', '.join(source.names)}")
    reasons = {name: source.error(name) for name in names or source.names}
    packed = list(names) or [name for name, reason in reasons.items() if reason is None]
    if not packed:
        raise UserError(f"no model to pack: {next(iter(reasons.values()))}")
    compared: list[str] = []
    if half:
        faces = read_split(output("tfrecords", "tfrecords", workspace=folder), VALIDATION).faces
        compared = [compare_with_half(source, name, faces) for name in packed]
    pack(source, packed, target, revision=revision, half=half)
    left_out = [f"left out: {reason}" for reason in reasons.values() if reason is not None]
    megabytes = target.stat().st_size / 1e6
    return [*left_out, *compared, f"{', '.join(packed)} -> {target} ({megabytes:.1f} MB)"]


def pack(
    source: Source,
    names: Sequence[str],
    target: Path,
    *,
    revision: str | None,
    half: bool = False,
) -> None:
    """Writes a bundle, whole or not at all.

    Args:
        source: Where the models come from.
        names: The models, at least one.
        target: The file to write.
        revision: The commit that the models come from.
        half: Whether kernels are rounded to half precision; the cards say so.

    Raises:
        UserError: A model is missing, or tells other classes apart than the source says; or `target` is
            there and is no bundle.
    """
    refuse_foreign(target, is_own=_is_bundle, command=_COMMAND)
    sha256: dict[str, str] = {}
    for name in names:
        _check_names(source, name)
    with atomic_write(target) as beside, zipfile.ZipFile(beside, "w") as archive:
        for name in names:
            for file_name in FILES:
                path = f"models/{name}/{file_name}"
                content = _content(source, name, file_name, revision=revision, half=half)
                sha256[path] = hashlib.sha256(content).hexdigest()
                archive.writestr(zipfile.ZipInfo(path, _NO_DATE), content)
        contents = Contents(
            version=VERSION,
            revision=revision,
            expressions=source.expressions,
            models=tuple(names),
            sha256=sha256,
        )
        text = json_text(contents.model_dump(mode="json"), of=CONTENTS)
        archive.writestr(zipfile.ZipInfo(CONTENTS, _NO_DATE), text)


def _content(
    source: Source, name: str, file_name: str, *, revision: str | None, half: bool
) -> bytes:
    """What a bundle holds of a model's file."""
    with source.file_of(name, file_name) as file:
        if half and file_name == MODEL:
            return in_half_precision(file, called=source.called(name))
        content = file.read_bytes()
    if half and file_name == CARD:
        where = f" at the commit `{revision}`" if revision else ""
        content += _HALF.format(name=name, where=where).encode()
    return content


def compare_with_half(source: Source, name: str, faces: np.ndarray) -> str:
    """Compares a model with its copy in half precision, in words.

    Args:
        source: Where the model comes from.
        name: The model.
        faces: Those of `validation`, uint8 (N, 48, 48, 1).

    Raises:
        UserError: The two differ too much.
    """
    with source.file_of(name, MODEL) as file, tempfile.TemporaryDirectory() as folder:
        rounded = Path(folder, MODEL)
        rounded.write_bytes(in_half_precision(file, called=source.called(name)))
        most = difference(file, rounded, faces)
    words = f"largest difference in probability {most:.2g} on {len(faces)} faces of `{VALIDATION}`"
    if not most <= MOST_DIFFERENCE:
        raise UserError(f"{name} in half precision: {words}, {MOST_DIFFERENCE} is allowed")
    return f"{name} in half precision: {words}"


def _is_bundle(file: Path) -> bool:
    try:
        Bundle.open(file)
    except UserError:
        return False
    return True


def _check_names(source: Source, name: str) -> None:
    """Refuses a model of other classes than those that the bundle is about to say."""
    with source.file_of(name, METRICS) as file:
        measured = read_measured(Metrics, file, name=name).expressions
    with source.file_of(name, MODEL) as file:
        check_expressions_in_use(file, source.expressions, name=name, measured=measured)
