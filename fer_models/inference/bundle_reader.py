"""Reads a bundle: one file of models, metrics and cards, which needs neither data nor DVC.

A bundle is a zip archive whose `bundle.json` lists every other file with its SHA-256; a file is checked
before it is used.
"""

import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, ValidationError

from fer_data.core.errors import UserError, one_line
from fer_data.core.files import sha256_of
from fer_data.stages.settings import Expressions, Settings
from fer_models.core.safe_zip import BROKEN, LimitError, bounded_zip, copy_member
from fer_models.inference.sources import FILES, MODEL

VERSION = 1
"""Of the format; raised when older readers would misread a bundle."""
CONTENTS = "bundle.json"

MOST_CONTENTS_BYTES = 1_000_000
"""Of `bundle.json`."""
MOST_MODEL_BYTES, MOST_FILE_BYTES = 2_000_000_000, 20_000_000
"""Of a network, and of any other file of a model."""


def _distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) < len(names):
        raise ValueError("every model once")
    return names


class Contents(Settings):
    """The content of `bundle.json`."""

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

    A bundle may be packed again while an app runs on it: what it lists is then read again, so that
    models that are not loaded yet come from the new one.

    Attributes:
        file: The bundle.
        contents: What it lists, as it was last read.
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
            first = error.errors()[0]
            where = one_line(".".join(map(str, first["loc"]))[:80]) or CONTENTS
            raise UserError(
                f"{file} is a bundle that this version cannot read ({where}: {first['msg']}): make it "
                "again with `ferflow bundle`, or update ferflow"
            ) from None

    @property
    def names(self) -> tuple[str, ...]:
        """The models that it holds."""
        return self.contents.models

    @property
    def expressions(self) -> tuple[str, ...]:
        """The classes of its models."""
        return self.contents.expressions

    def error(self, name: str) -> str | None:
        """Whether it lists the model's files; what they hold is checked when they are used."""
        if name not in self.contents.models:
            return f"{self.file} was packed again without the model '{name}': start again"
        for path in (f"models/{name}/{file_name}" for file_name in FILES):
            if path not in self.contents.sha256:
                return str(self._damaged(path))
        return None

    def called(self, name: str) -> str:
        """The bundle and the model: a path would be that of a copy that is gone."""
        return f"{self.file}: the model '{name}'"

    @contextmanager
    def file_of(self, name: str, file_name: str) -> Iterator[Path]:
        """A checked copy of a file, which is gone at the end.

        Raises:
            UserError: The bundle is damaged, or the file larger than such files are.
        """
        path = f"models/{name}/{file_name}"
        most_bytes = MOST_MODEL_BYTES if file_name == MODEL else MOST_FILE_BYTES
        with tempfile.TemporaryDirectory(prefix="ferflow-") as folder:
            copy = Path(folder) / file_name
            if not self._copied(path, copy, most_bytes=most_bytes):
                self._read_again()
                if not self._copied(path, copy, most_bytes=most_bytes):
                    raise self._damaged(path)
            yield copy

    def _copied(self, path: str, copy: Path, *, most_bytes: int) -> bool:
        """Copies a file out of the bundle; returns whether its bytes are those that are listed."""
        try:
            with bounded_zip(self.file) as archive, copy.open("wb") as target:
                copy_member(archive, path, target.write, most_bytes=most_bytes)
        except LimitError as error:
            raise UserError(f"{self.file} is refused: {error}") from None
        except BROKEN:
            return False
        return sha256_of(copy) == self.contents.sha256.get(path)

    def _read_again(self) -> None:
        """Takes over what the bundle lists now, unless its models are of other classes."""
        contents = self.open(self.file).contents
        if contents.expressions != self.contents.expressions:
            raise UserError(
                f"{self.file} was packed again, with models of {', '.join(contents.expressions)}; "
                f"expected {', '.join(self.contents.expressions)}: start again"
            )
        self.contents = contents

    def _damaged(self, path: str) -> UserError:
        return UserError(
            f"{self.file} is damaged: {path} in it is not what `{CONTENTS}` says; copy it again"
        )
