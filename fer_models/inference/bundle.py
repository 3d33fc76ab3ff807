"""Takes trained models along: one file of models, metrics and cards, which needs neither data nor DVC.

A bundle is a zip archive whose `bundle.json` lists every other file with its SHA-256; what is used is
checked first. Equal models make equal bundles, to the byte.
"""

import io
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, ValidationError

from fer_data.core.errors import UserError
from fer_data.core.files import atomic_write, sha256_of
from fer_data.core.own_files import refuse_foreign
from fer_data.stages.settings import Expressions, Settings
from fer_data.stages.stage import json_text
from fer_models.core.class_names import check_expressions_in_use
from fer_models.core.safe_zip import BROKEN, LimitError, bounded_zip, copy_member
from fer_models.inference.sources import METRICS, MODEL, PARTS, Source, Workspace
from fer_models.inference.stored_metrics import Metrics, read_measured

VERSION = 1
"""Of the format; raised when older readers would misread a bundle."""
CONTENTS = "bundle.json"

MOST_CONTENTS_BYTES = 1_000_000
"""Of `bundle.json`."""
MOST_MODEL_BYTES, MOST_PART_BYTES = 2_000_000_000, 20_000_000
"""Of a model, and of what is said of it."""

_COMMAND = "ferflow bundle"
_NO_DATE = (1980, 1, 1, 0, 0, 0)


def _distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) < len(names):
        raise ValueError("every model once")
    return names


class Contents(Settings):
    """What `bundle.json` says."""

    version: Annotated[int, Field(ge=1, le=VERSION)]
    """Of the format."""
    revision: str | None
    """The commit that the models come from."""
    expressions: Expressions
    """The K classes, in the order of the models' outputs."""
    models: Annotated[
        tuple[Annotated[str, Field(pattern=r"^\w[\w.-]*$")], ...],
        Field(min_length=1),
        AfterValidator(_distinct),
    ]
    """The names of the models."""
    sha256: dict[str, str]
    """Of every other file, in hexadecimal, by its path in the bundle."""


class Bundle:
    """The models of a bundle, as a `Source`.

    Attributes:
        file: The bundle.
        contents: What it says of itself.
    """

    def __init__(self, file: Path, contents: Contents) -> None:
        """Keeps both; `open` reads the contents."""
        self.file, self.contents = file, contents

    @classmethod
    def open(cls, file: Path) -> Self:
        """Reads what a bundle holds; its files are checked when they are used.

        Raises:
            UserError: There is no such file, or it is no bundle, one larger than bundles are, or one
                of a newer format.
        """
        text = io.BytesIO()
        try:
            with bounded_zip(file) as archive:
                copy_member(archive, CONTENTS, text.write, most_bytes=MOST_CONTENTS_BYTES)
        except FileNotFoundError:
            raise UserError(f"no bundle at {file}: `ferflow bundle` makes one") from None
        except LimitError as error:
            raise UserError(f"{file} is refused: {error}") from None
        except BROKEN:
            raise UserError(f"{file} is no bundle: expected what `ferflow bundle` makes") from None
        try:
            return cls(file, Contents.model_validate_json(text.getvalue()))
        except ValidationError as error:
            fault = error.errors()[0]
            where = ".".join(map(str, fault["loc"])) or CONTENTS
            raise UserError(
                f"{file} is a bundle that this version cannot read ({where}: {fault['msg']}): make it "
                "anew with `ferflow bundle`, or update ferflow"
            ) from None

    @property
    def names(self) -> tuple[str, ...]:
        """The models that it holds."""
        return self.contents.models

    @property
    def expressions(self) -> tuple[str, ...]:
        """The classes of its models."""
        return self.contents.expressions

    def fault(self, name: str) -> str | None:
        """Whether it lists the model's files; what they hold is checked when they are used."""
        for path in (f"models/{name}/{part}" for part in PARTS):
            if path not in self.contents.sha256:
                return str(self._damaged(path))
        return None

    def called(self, name: str) -> str:
        """The bundle and the model: a path would be that of a copy that is gone."""
        return f"{self.file}: the model '{name}'"

    @contextmanager
    def part(self, name: str, part: str) -> Iterator[Path]:
        """A checked copy of a file, which is gone at the end.

        Raises:
            UserError: The bundle is damaged, or the file larger than such files are.
        """
        path = f"models/{name}/{part}"
        most_bytes = MOST_MODEL_BYTES if part == MODEL else MOST_PART_BYTES
        with tempfile.TemporaryDirectory(prefix="ferflow-") as folder:
            copy = Path(folder) / part
            try:
                with bounded_zip(self.file) as archive, copy.open("wb") as target:
                    copy_member(archive, path, target.write, most_bytes=most_bytes)
            except LimitError as error:
                raise UserError(f"{self.file} is refused: {error}") from None
            except BROKEN:
                raise self._damaged(path) from None
            if sha256_of(copy) != self.contents.sha256.get(path):
                raise self._damaged(path)
            yield copy

    def _damaged(self, path: str) -> UserError:
        return UserError(
            f"{self.file} is damaged: {path} in it is not what `{CONTENTS}` says; copy it anew"
        )


def pack_workspace(
    folder: Path, names: Sequence[str], target: Path, *, revision: str | None
) -> list[str]:
    """Packs models of a workspace.

    Args:
        folder: The workspace.
        names: The models; none stands for all that are there.
        target: The file to write.
        revision: The commit that the models come from.

    Returns:
        What was packed, and what was left out since it is missing, in words.

    Raises:
        UserError: A named model is unknown or missing, there is none at all, or `target` is there and
            is no bundle; nothing is written.
    """
    refuse_foreign(target, is_own=_is_bundle, command=_COMMAND)
    source = Workspace(folder)
    for name in names:
        if name not in source.names:
            raise UserError(f"no model '{name}': expected some of {', '.join(source.names)}")
    faults = {name: source.fault(name) for name in names or source.names}
    packed = list(names) or [name for name, fault in faults.items() if fault is None]
    if not packed:
        raise UserError(f"no model to pack: {next(iter(faults.values()))}")
    pack(source, packed, target, revision=revision)
    left_out = [f"left out: {fault}" for fault in faults.values() if fault is not None]
    megabytes = target.stat().st_size / 1e6
    return [*left_out, f"{', '.join(packed)} -> {target} ({megabytes:.1f} MB)"]


def pack(source: Source, names: Sequence[str], target: Path, *, revision: str | None) -> None:
    """Writes a bundle, whole or not at all.

    Args:
        source: Where the models come from.
        names: The models, at least one.
        target: The file to write.
        revision: The commit that the models come from.

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
            for part in PARTS:
                with source.part(name, part) as file:
                    path = f"models/{name}/{part}"
                    sha256[path] = sha256_of(file)
                    archive.writestr(zipfile.ZipInfo(path, _NO_DATE), file.read_bytes())
        contents = Contents(
            version=VERSION,
            revision=revision,
            expressions=source.expressions,
            models=tuple(names),
            sha256=sha256,
        )
        text = json_text(contents.model_dump(mode="json"), of=CONTENTS)
        archive.writestr(zipfile.ZipInfo(CONTENTS, _NO_DATE), text)


def _is_bundle(file: Path) -> bool:
    try:
        Bundle.open(file)
    except UserError:
        return False
    return True


def _check_names(source: Source, name: str) -> None:
    """Refuses a model of other classes than those that the bundle is about to say."""
    with source.part(name, METRICS) as file:
        measured = read_measured(Metrics, file, name=name).expressions
    with source.part(name, MODEL) as file:
        check_expressions_in_use(file, source.expressions, name=name, measured=measured)
