"""Opens trained models by name, of a workspace, a bundle or the package; each is loaded once."""

import threading
from pathlib import Path
from typing import Any

import keras

from fer_data.core.catalog import GRAPH_FILE
from fer_data.core.errors import UserError
from fer_models.core.class_names import check_expressions_in_use, expressions_in
from fer_models.core.prediction import load_model
from fer_models.export.formats import is_exported, read_exported
from fer_models.inference.bundle_reader import Bundle
from fer_models.inference.calibrated_model import CalibratedModel, Trust
from fer_models.inference.pretrained.pretrained_model import (
    PRETRAINED,
    Pretrained,
    has_pretrained,
)
from fer_models.inference.sources import METRICS, MODEL, SUMMARY, Source, Workspace
from fer_models.inference.stored_metrics import Metrics, Summary, read_measured

HERE = Path()
"""The current folder, which need not be a workspace."""
_BUNDLE = ".zip"


def open_model_store(*, workspace: Path = HERE, bundle: Path | None = None) -> "ModelStore":
    """Opens the models of a bundle if one is given, else those of a workspace and the pretrained one.

    In a current folder that is no workspace, the pretrained model is the only one.

    Raises:
        UserError: There is no such bundle, or it is none; there is no workspace in a folder that was
            named; or the pretrained model is damaged.
    """
    if bundle is not None:
        return ModelStore(Bundle.open(bundle))
    pretrained = [Pretrained.open()] if has_pretrained() else []
    if _is_outside(workspace) and pretrained:
        return ModelStore(*pretrained)
    return ModelStore(Workspace(workspace), *pretrained)


def open_model(
    model: str | None,
    *,
    workspace: Path = HERE,
    bundle: Path | None = None,
    trusted: bool = False,
) -> CalibratedModel[Any]:
    """Opens one model.

    Args:
        model: What `ModelStore.load` takes; or `pretrained`; or the path of a bundle (`.zip`), of which
            the best on `validation` is taken, of an exported model or of a `.keras` file, which need
            no workspace; or None for `ModelStore.default`.
        workspace: Where the models lie.
        bundle: Where they come from, if not from the workspace.
        trusted: Whether whoever made an exported model may run code here.

    Raises:
        UserError: It is missing, damaged, or of other classes; it could run code and is not trusted; or
            there is nothing to choose from.
    """
    if model == PRETRAINED:
        return ModelStore(Pretrained.open()).load(model)
    if model is not None and is_exported(Path(model)):
        exported = read_exported(Path(model), trusted=trusted)
        return CalibratedModel(exported, exported.expressions, Trust(), called=model)
    if model is not None and Path(model).suffix == _BUNDLE:
        model, bundle = None, Path(model)
    if model is not None and bundle is None and _is_outside(workspace):
        return _opened_outside(model)
    store = open_model_store(workspace=workspace, bundle=bundle)
    return store.load(model or store.default())


def _is_outside(workspace: Path) -> bool:
    """Whether the workspace is the current folder by default, and that folder is no workspace."""
    return workspace == HERE and not (workspace / GRAPH_FILE).exists()


def _opened_outside(model: str) -> CalibratedModel[Any]:
    """A `.keras` file, which names its classes by itself."""
    if Path(model).suffix != ".keras":
        raise UserError(
            f"no model '{model}': this folder is no workspace, so expected `{PRETRAINED}` or a model's "
            "file; `--workspace FOLDER` or `--bundle FILE` brings others"
        )
    loaded = load_model(Path(model))
    expressions = expressions_in(Path(model))
    if expressions is None:
        raise UserError(
            f"{model} does not name the expressions that it tells apart: `--workspace FOLDER` says "
            "whose `data.expressions` they are"
        )
    return CalibratedModel(loaded, expressions, Trust(), called=model)


class ModelStore:
    """Models by name, which threads may share.

    Attributes:
        names: The models that belong there, whether or not all of them are there.
        expressions: The K classes, in the order of every probabilities array.
    """

    def __init__(self, source: Source, *others: Source) -> None:
        """Loads nothing yet.

        Args:
            source: Whose classes count, and whose models `best` compares.
            *others: Sources of other models; one of other classes has no place beside these.
        """
        self._source = source
        self._sources = dict.fromkeys(source.names, source)
        self.expressions = source.expressions
        fitting = [one for one in others if one.expressions == self.expressions]
        self._sources |= {name: one for one in fitting for name in one.names}
        self.names = tuple(self._sources)
        self._loaded: dict[str, CalibratedModel[keras.Model]] = {}
        self._turn = threading.Lock()

    def error(self, name: str) -> str | None:
        """Why a model cannot predict, in one line with the ways to mend it; or None."""
        if name not in self.names:
            return f"no model '{name}': expected one of {', '.join(self.names)}"
        reason = self._sources[name].error(name)
        if reason is None:
            try:
                self._metrics(name)
                self._summary(name)
            except UserError as error:
                reason = str(error)
        return reason

    def title(self, name: str) -> str:
        """What the reports call a model; its name where it is missing."""
        if self.error(name) is not None:
            return name
        title = self._summary(name).title
        return f"{title}, which came with Ferflow" if name == PRETRAINED else title

    def default(self) -> str:
        """The model that answers where none is named.

        That is the best on `validation`; but the pretrained one where models learned from drawn faces,
        and where there are none.

        Raises:
            UserError: As `best`.
        """
        source = self._source
        if PRETRAINED in self.names and self.error(PRETRAINED) is None:
            if isinstance(source, Workspace) and source.is_drawn:
                return PRETRAINED
            if all(source.error(name) is not None for name in source.names):
                return PRETRAINED
        return self.best()

    def best(self) -> str:
        """The model that is there and was most often right on `validation`.

        One without that figure, since it has learned `validation`, comes after all that have it.

        Raises:
            UserError: None is there; or one is, and what was measured of it cannot be read.
        """
        reasons = {name: self._source.error(name) for name in self._source.names}
        measured = {
            name: self._metrics(name).validation
            for name, reason in reasons.items()
            if reason is None
        }
        accuracies = {name: one.accuracy.value if one else -1.0 for name, one in measured.items()}
        if not accuracies:
            raise UserError(f"no model that can predict: {next(iter(reasons.values()))}")
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
        with self._sources[name].file_of(name, METRICS) as file:
            return read_measured(Metrics, file, name=name)

    def _summary(self, name: str) -> Summary:
        with self._sources[name].file_of(name, SUMMARY) as file:
            return read_measured(Summary, file, name=name)

    def _load(self, name: str) -> CalibratedModel[keras.Model]:
        if name not in self.names and Path(name).suffix == ".keras":
            file = Path(name)
            model = self._named(file, called=name)
            return CalibratedModel(model, self.expressions, Trust(), called=name)
        reason = self.error(name)
        if reason is not None:
            raise UserError(reason)
        metrics = self._metrics(name)
        trust = Trust(
            temperature=metrics.calibration.temperature,
            threshold=metrics.conformal.threshold,
            coverage=metrics.conformal.promised,
        )
        with self._sources[name].file_of(name, MODEL) as file:
            called = self._sources[name].called(name)
            model = self._named(file, called=called, measured=metrics.expressions)
        if self._metrics(name) != metrics:  # they calibrate another network
            raise UserError(f"{called} was replaced while it was loaded: try again")
        return CalibratedModel(model, self.expressions, trust, called=called, name=name)

    def _named(
        self, file: Path, *, called: str, measured: tuple[str, ...] | None = None
    ) -> keras.Model:
        """The model of a file, if it tells the model store's classes apart."""
        model = load_model(file, called=called)
        check_expressions_in_use(file, self.expressions, name=called, measured=measured)
        return model
