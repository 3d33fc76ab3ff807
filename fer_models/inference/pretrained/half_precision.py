"""Rounds the kernels of a saved model to half precision (float16), which halves its file.

Keras reads such a file as any other, and computes in float32. Equal weights give equal bytes.
"""

import io
import zipfile
from pathlib import Path

import h5py
import numpy as np
from h5py import h5f, h5fd, h5g, h5p

from fer_data.core.errors import UserError
from fer_models.core.prediction import load_model, predict
from fer_models.core.safe_zip import BROKEN

MOST_DIFFERENCE = 0.01
"""Largest allowed difference in a probability between a rounded model and the original."""

_WEIGHTS = "model.weights.h5"
_FORMAT = h5f.LIBVER_V110, h5f.LIBVER_V110  # whose groups take a fraction of those of earlier ones
_NO_DATE = (1980, 1, 1, 0, 0, 0)
_BATCH = 128


def in_half_precision(file: Path, *, called: str) -> bytes:
    """Rounds the kernels of a model; biases and the statistics of batch normalization stay as they are.

    Args:
        file: A `.keras` file.
        called: What messages call it.

    Returns:
        The bytes of a `.keras` file that is half as large.

    Raises:
        UserError: It is damaged, or a weight is beyond the range of half precision.
    """
    buffer = io.BytesIO()
    try:
        with zipfile.ZipFile(file) as source, zipfile.ZipFile(buffer, "w") as target:
            for name in sorted(source.namelist()):
                data = source.read(name)
                content = _rounded(data, called=called) if name == _WEIGHTS else data
                target.writestr(zipfile.ZipInfo(name, _NO_DATE), content)
    except BROKEN as error:
        raise UserError(f"{called} is a damaged Keras model: {error}") from None
    return buffer.getvalue()


def difference(original: Path, rounded: Path, faces: np.ndarray) -> float:
    """The largest difference in a probability between two models.

    Args:
        original: A `.keras` file.
        rounded: Another one, of the same classes.
        faces: uint8 (N, 48, 48, 1).
    """
    before, after = (
        predict(model, faces, num_classes=model.output_shape[-1], batch_size=_BATCH)
        for model in (load_model(original), load_model(rounded))
    )
    return float(np.abs(before - after).max())


def _rounded(weights: bytes, *, called: str) -> bytes:
    """Copies an HDF5 file of weights, with what has two dimensions or more in float16."""
    access, root, groups = map(h5p.create, (h5p.FILE_ACCESS, h5p.FILE_CREATE, h5p.GROUP_CREATE))
    buffer = io.BytesIO()
    access.set_fileobj_driver(h5fd.fileobj_driver, buffer)
    access.set_libver_bounds(*_FORMAT)
    for created in (root, groups):
        created.set_obj_track_times(False)  # equal weights, equal bytes
    identifier = h5f.create(b"weights", h5f.ACC_TRUNC, root, access)
    with h5py.File(io.BytesIO(weights)) as source, h5py.File(identifier) as target:

        def copy(name: str, item: h5py.Group | h5py.Dataset) -> None:
            if isinstance(item, h5py.Dataset):
                values = item[()]
                if values.ndim > 1 and values.dtype == np.float32:
                    values = _half(values, name=name, called=called)
                copied = target.create_dataset(name, data=values)
            else:
                copied = h5py.Group(h5g.create(target.id, name.encode(), gcpl=groups))
            for key, value in item.attrs.items():
                copied.attrs[key] = value

        source.visititems(copy)
    return buffer.getvalue()


def _half(values: np.ndarray, *, name: str, called: str) -> np.ndarray:
    with np.errstate(over="ignore"):
        half = values.astype(np.float16)
    if not np.isfinite(half).all():
        most = np.abs(values).max()
        raise UserError(
            f"{called} has a weight of {most:.3g} in {name}: half precision ends at 65504; pack it "
            "without `--half`"
        )
    return half
