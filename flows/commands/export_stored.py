"""Exports a model of a workspace by its name, and compares the two on `validation`."""

from pathlib import Path

from fer_data.core.catalog import output
from fer_data.core.schema import TRAIN, VALIDATION
from fer_data.core.tfrecord import read_split
from fer_models.export.export import check_format, check_target, export_model
from fer_models.export.formats import FORMATS
from fer_models.inference.model_store import open_model_store


def export_stored(
    name: str,
    *,
    form: str,
    int8: bool = False,
    target: Path | None = None,
    workspace: Path = Path(),
) -> str:
    """Exports a model of a workspace, and compares its predictions with the original's.

    Args:
        name: The model's name, or the path of a `.keras` file.
        form: One of `FORMATS`.
        int8: Whether weights and activations get 8 bits.
        target: What to write; by default `NAME.onnx` or the like in the current folder.
        workspace: Where the models and the records lie, on whose faces the two are compared.

    Returns:
        What was written, and how it differs from the original, in words.

    Raises:
        UserError: As `export_model`; or the model or the records are missing.
    """
    check_format(form, int8=int8)
    store = open_model_store(workspace=workspace)
    if target is None:
        stem = name if name in store.names else Path(name).stem
        target = Path(f"{stem}{'-int8' * int8}{FORMATS[form].suffix}")
    check_target(target, form=form)
    model = store.load(name).model
    folder = output("tfrecords", "tfrecords", workspace=workspace)
    splits = (VALIDATION, TRAIN) if int8 else (VALIDATION,)
    examples = {split: read_split(folder, split) for split in splits}
    comparison = export_model(
        model, target, form=form, expressions=store.expressions, examples=examples, int8=int8
    )
    return f"{name} -> {target}: {comparison}"
