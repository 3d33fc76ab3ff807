"""Saves a Keras model so that equal weights give equal bytes."""

import io
import json
import re
import zipfile
from pathlib import Path

import keras

from fer_data.core.files import atomic_write
from fer_models.core.class_names import KEY, METADATA

_NO_DATE = (1980, 1, 1, 0, 0, 0)


def save_model(model: keras.Model, file: Path, *, expressions: tuple[str, ...]) -> None:
    """Writes a `.keras` file without the optimizer's state, the date and addresses in memory.

    Keras stamps each member of the archive and its metadata with the time, and names objects in the
    configuration by their addresses; so two saves of equal models differ, and DVC would rerun all
    that depends on them. The names of the classes stand in the metadata, where `class_names` reads them.

    Args:
        model: From uint8 faces (N, 48, 48, 1) to probabilities (N, K).
        file: Where to write; its suffix is `.keras`.
        expressions: The K classes, in the order of the probabilities.

    Raises:
        ValueError: The model has another number of classes.
    """
    if model.output_shape[-1] != len(expressions):
        raise ValueError(f"got {len(expressions)} names for outputs of {model.output_shape}")
    bare = keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    stamped = file.with_name(f".{file.stem}.stamped.keras")
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        bare.save(stamped)
        with zipfile.ZipFile(stamped) as source, atomic_write(file) as beside:
            beside.write_bytes(_normalised(source, expressions))
    finally:
        stamped.unlink(missing_ok=True)


def _normalised(source: zipfile.ZipFile, expressions: tuple[str, ...]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as target:
        for name in sorted(source.namelist()):
            data = source.read(name)
            if name == METADATA:
                metadata = json.loads(data)
                metadata.pop("date_saved", None)
                metadata[KEY] = list(expressions)
                data = json.dumps(metadata, sort_keys=True, allow_nan=False).encode()
            elif name == "config.json":
                # Half precision is for training; the weights are float32 in any case.
                data = re.sub(rb'"mixed_b?float16"', b'"float32"', data)
                data = _with_numbered_objects(data)
            target.writestr(zipfile.ZipInfo(name, _NO_DATE), data)
    return buffer.getvalue()


def _with_numbered_objects(config: bytes) -> bytes:
    """Numbers the shared objects in order of appearance, in place of their addresses."""
    numbers: dict[bytes, int] = {}
    return re.sub(
        rb'("shared_object_id": )(\d+)',
        lambda match: match[1] + str(numbers.setdefault(match[2], len(numbers))).encode(),
        config,
    )
