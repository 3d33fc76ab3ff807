"""Opens the model that comes with the package, as a source of one model."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fer_data.core.errors import UserError
from fer_models.inference.bundle_reader import Bundle

PRETRAINED: Final = "pretrained"
"""Its name, whichever network it is."""
FILE: Final = Path(__file__).with_name("bundle.zip")


def has_pretrained() -> bool:
    """Whether this installation brings it along."""
    return FILE.is_file()


@dataclass(frozen=True)
class Pretrained:
    """The first model of a bundle under the name `pretrained`, as a `Source`."""

    bundle: Bundle

    @classmethod
    def open(cls) -> "Pretrained":
        """Reads what the package's bundle holds.

        Raises:
            UserError: This installation has none, or it is damaged.
        """
        if not has_pretrained():
            raise UserError(
                f"this installation has no pretrained model ({FILE} is missing): install Ferflow "
                "again, or name another model: its file, a bundle, or one of a workspace"
            )
        return cls(Bundle.open(FILE))

    @property
    def names(self) -> tuple[str, ...]:
        """Its only name."""
        return (PRETRAINED,)

    @property
    def expressions(self) -> tuple[str, ...]:
        """The K classes."""
        return self.bundle.expressions

    def error(self, name: str) -> str | None:
        """What its bundle lacks."""
        return self.bundle.error(self._packed(name))

    def called(self, name: str) -> str:
        """The bundle and the model in it."""
        return self.bundle.called(self._packed(name))

    def file_of(self, name: str, file_name: str) -> AbstractContextManager[Path]:
        """A checked copy of one of its files."""
        return self.bundle.file_of(self._packed(name), file_name)

    def _packed(self, name: str) -> str:
        """The name in the bundle."""
        return {PRETRAINED: self.bundle.names[0]}[name]
