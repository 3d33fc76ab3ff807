"""Finds the files of a trained model: its network, metrics, summary and card."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from fer_data.core.catalog import dependency, items, output
from fer_data.core.errors import UserError
from fer_data.stages.drawn_faces import are_drawn
from fer_data.stages.settings import PARAMS_FILE, DataSettings, read_settings

MODEL, METRICS, SUMMARY, CARD = "model.keras", "metrics.json", "summary.json", "model_card.md"
FILES = (MODEL, METRICS, SUMMARY, CARD)
"""The network, its metrics, the summary of its training, and the model card."""


class Source(Protocol):
    """Where models come from: `Workspace` here, or `bundle_reader.Bundle`."""

    @property
    def names(self) -> tuple[str, ...]:
        """The models that belong there, whether or not all of them are there."""
        ...

    @property
    def expressions(self) -> tuple[str, ...]:
        """The K classes, in the order of the models' outputs."""
        ...

    def error(self, name: str) -> str | None:
        """What a model of `names` lacks and how to get it, in one line; None where it lacks nothing."""
        ...

    def called(self, name: str) -> str:
        """What messages call the network of a model: where a person finds it."""
        ...

    def file_of(self, name: str, file_name: str) -> AbstractContextManager[Path]:
        """Gives the path of one of `FILES`, which is there for as long as the context is.

        Raises:
            UserError: It is missing or damaged.
        """
        ...


@dataclass(frozen=True)
class Workspace:
    """The models of a workspace, as its `dvc.yaml` places them."""

    folder: Path

    @property
    def names(self) -> tuple[str, ...]:
        """The models that the graph measures."""
        return items("evaluate", workspace=self.folder)

    @property
    def expressions(self) -> tuple[str, ...]:
        """The classes of its `params.yaml`."""
        return read_settings(DataSettings, "data", file=self.folder / PARAMS_FILE).expressions

    @property
    def is_drawn(self) -> bool:
        """Whether its models learned from drawn faces, so that they do not know people."""
        return are_drawn(output("ingest", "manifest.parquet", workspace=self.folder))

    def error(self, name: str) -> str | None:
        """Names the first missing file, and the three ways to get it."""
        for file_name in FILES:
            file = self._file(name, file_name)
            if not file.is_file():
                return (
                    f"{file} is missing: `dvc pull` fetches it, a bundle brings it along "
                    f"(`--bundle FILE`), `dvc repro evaluate@{name}` trains and measures it"
                )
        return None

    def called(self, name: str) -> str:
        """The path of its file."""
        return str(self._file(name, MODEL))

    @contextmanager
    def file_of(self, name: str, file_name: str) -> Iterator[Path]:
        """The file where its stage left it."""
        reason = self.error(name)
        if reason is not None:
            raise UserError(reason)
        yield self._file(name, file_name)

    def _file(self, name: str, file_name: str) -> Path:
        if file_name in (METRICS, CARD):
            return output(f"evaluate@{name}", name, workspace=self.folder) / file_name
        if file_name == SUMMARY:
            return dependency("report", "train", workspace=self.folder) / name / file_name
        trainer = "ensemble" if name == "ensemble" else f"train@{name}"
        return output(trainer, name, workspace=self.folder) / file_name
