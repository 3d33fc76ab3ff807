"""Opens trained models by name, of a workspace or a bundle; each is loaded once."""

import threading
from pathlib import Path
from typing import Any

import keras

from fer_data.core.errors import UserError
from fer_models.core.class_names import check_expressions_in_use
from fer_models.core.prediction import load_model
from fer_models.export.formats import is_exported, read_exported
from fer_models.inference.bundle_reader import Bundle
from fer_models.inference.calibrated_model import CalibratedModel, Trust
from fer_models.inference.sources import METRICS, MODEL, SUMMARY, Source, Workspace
from fer_models.inference.stored_metrics import Metrics, Summary, read_measured


def open_model_store(*, workspace: Path = Path(), bundle: Path | None = None) -> "ModelStore":
    """Opens the models of a bundle if one is given, else those of a workspace.

    Raises:
        UserError: There is no such bundle, or it is none; or there is no workspace.
    """
    return ModelStore(Workspace(workspace) if bundle is None else Bundle.open(bundle))


def open_model(
    model: str | None,
    *,
    workspace: Path = Path(),
    bundle: Path | None = None,
    trusted: bool = False,
) -> CalibratedModel[Any]:
    """Opens one model.

    Args:
        model: What `ModelStore.load` takes; or the path of an exported model, which brings its
            classes along and needs no workspace and no bundle; or None for the best on
            `validation`.
        workspace: Where the models lie.
        bundle: Where they come from, if not from the workspace.
        trusted: Whether whoever made an exported model may run code here.

    Raises:
        UserError: It is missing, damaged, or of other classes; it could run code and is not trusted; or
            there is nothing to choose from.
    """
    if model is not None and is_exported(Path(model)):
        exported = read_exported(Path(model), trusted=trusted)
        return CalibratedModel(exported, exported.expressions, Trust(), called=model)
    store = open_model_store(workspace=workspace, bundle=bundle)
    return store.load(model or store.best())


class ModelStore:
    """Predictors by name, which threads may share.

    Attributes:
        names: The models that belong there, whether or not all of them are there.
        expressions: The K classes, in the order of every probabilities array.
    """

    def __init__(self, source: Source) -> None:
        """Loads nothing yet."""
        self._source = source
        self.names, self.expressions = source.names, source.expressions
        self._loaded: dict[str, CalibratedModel[keras.Model]] = {}
        self._turn = threading.Lock()

    def fault(self, name: str) -> str | None:
        """Why a model cannot predict, in one line with the ways to mend it; or None."""
        if name not in self.names:
            return f"no model '{name}': expected one of {', '.join(self.names)}"
        fault = self._source.fault(name)
        if fault is None:
            try:
                self._metrics(name)
                self._summary(name)
            except UserError as error:
                fault = str(error)
        return fault

    def title(self, name: str) -> str:
        """What the reports call a model; its name where it is missing."""
        return name if self.fault(name) is not None else self._summary(name).title

    def best(self) -> str:
        """The model that is there and was most often right on `validation`.

        Raises:
            UserError: None is there; or one is, and what was measured of it cannot be read.
        """
        faults = {name: self._source.fault(name) for name in self.names}
        accuracies = {
            name: self._metrics(name).validation.accuracy.value
            for name, fault in faults.items()
            if fault is None
        }
        if not accuracies:
            raise UserError(f"no model that can predict: {next(iter(faults.values()))}")
        return max(accuracies, key=accuracies.__getitem__)

    def load(self, name: str) -> CalibratedModel[keras.Model]:
        """The model of that name, loaded at the first call.

        Args:
            name: One of `names`; or the path of a `.keras` file, whose probabilities are as they
                come: no temperature and no threshold is known.

        Raises:
            UserError: It is missing, damaged, or of other classes.
        """
        with self._turn:
            if name not in self._loaded:
                self._loaded[name] = self._load(name)
            return self._loaded[name]

    def _metrics(self, name: str) -> Metrics:
        with self._source.file_of(name, METRICS) as file:
            return read_measured(Metrics, file, name=name)

    def _summary(self, name: str) -> Summary:
        with self._source.file_of(name, SUMMARY) as file:
            return read_measured(Summary, file, name=name)

    def _load(self, name: str) -> CalibratedModel[keras.Model]:
        if name not in self.names and Path(name).suffix == ".keras":
            file = Path(name)
            model = self._named(file, called=name)
            return CalibratedModel(model, self.expressions, Trust(), called=name)
        fault = self.fault(name)
        if fault is not None:
            raise UserError(fault)
        metrics = self._metrics(name)
        trust = Trust(
            temperature=metrics.calibration.temperature,
            threshold=metrics.conformal.threshold,
            coverage=metrics.conformal.promised,
        )
        with self._source.file_of(name, MODEL) as file:
            called = self._source.called(name)
            model = self._named(file, called=called, measured=metrics.expressions)
        if self._metrics(name) != metrics:  # they calibrate another network
            raise UserError(f"{called} was replaced while it was loaded: try again")
        return CalibratedModel(model, self.expressions, trust, called=called)

    def _named(
        self, file: Path, *, called: str, measured: tuple[str, ...] | None = None
    ) -> keras.Model:
        """The model of a file, if it tells the model store's classes apart."""
        model = load_model(file, called=called)
        check_expressions_in_use(file, self.expressions, name=called, measured=measured)
        return model
