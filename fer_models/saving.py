"""Saves a Keras model so that equal weights give equal bytes."""

import io
import json
import zipfile
from pathlib import Path

import keras

from fer_data.stage import written_beside

_NO_DATE = (1980, 1, 1, 0, 0, 0)


def save_model(model: keras.Model, file: Path) -> None:
    """Writes a `.keras` file, without the optimizer's state and without the date it was saved.

    Keras stamps each part of the archive, and its metadata, with the time; so two saves of one model
    differ, and DVC would rerun all that depends on it.

    Args:
        model: From uint8 faces (N, 48, 48, 1) to probabilities (N, K).
        file: Where to write; its suffix is `.keras`.
    """
    bare = keras.Model(model.inputs, model.outputs, name=model.name)
    stamped = file.with_name(f".{file.stem}.stamped.keras")
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        bare.save(stamped)
        with zipfile.ZipFile(stamped) as source, written_beside(file) as beside:
            beside.write_bytes(_without_dates(source))
    finally:
        stamped.unlink(missing_ok=True)


def _without_dates(source: zipfile.ZipFile) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as target:
        for name in sorted(source.namelist()):
            data = source.read(name)
            if name == "metadata.json":
                metadata = json.loads(data)
                metadata.pop("date_saved", None)
                data = json.dumps(metadata, sort_keys=True).encode()
            target.writestr(zipfile.ZipInfo(name, _NO_DATE), data)
    return buffer.getvalue()
