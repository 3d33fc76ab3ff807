"""Stores which predictions were right, in few bytes, for paired comparisons on the same faces later."""

import base64
import hashlib
import zlib
from binascii import Error as Base64Error

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict

from fer_data.core.schema import LABEL, PATH, PREDICTION


class Outcomes(BaseModel):
    """Which predictions for the N faces of one split were right."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    faces: str
    """SHA-256 of their paths and labels, in order, in hexadecimal."""
    right: str
    """A bit a face, whether the prediction is the label: packed, deflated, in base64."""


def outcomes_of(predictions: pd.DataFrame) -> Outcomes:
    """Packs which predictions are right.

    Args:
        predictions: A row a face: `path`, `label` and `prediction`.
    """
    right = (predictions[LABEL] == predictions[PREDICTION]).to_numpy(bool)
    packed = zlib.compress(np.packbits(right).tobytes(), 9)
    return Outcomes(faces=_hash_of(predictions), right=base64.b64encode(packed).decode())


def right_on(outcomes: Outcomes, predictions: pd.DataFrame) -> np.ndarray | None:
    """Unpacks which predictions were right, face by face.

    Args:
        outcomes: What was kept.
        predictions: A row a face: `path` and `label`.

    Returns:
        bool (N,), in the order of the rows; None where these are other faces, or have other labels.
    """
    if outcomes.faces != _hash_of(predictions):
        return None
    limit = len(predictions) // 8 + 1
    try:
        packed = base64.b64decode(outcomes.right, validate=True)
        bits = np.frombuffer(zlib.decompressobj().decompress(packed, limit), np.uint8)
    except (Base64Error, ValueError, zlib.error):
        return None
    if 8 * len(bits) < len(predictions):
        return None
    return np.unpackbits(bits, count=len(predictions)).astype(bool)


def _hash_of(predictions: pd.DataFrame) -> str:
    digest = hashlib.sha256()
    for path, label in zip(predictions[PATH], predictions[LABEL], strict=True):
        digest.update(f"{path}\0{label}\n".encode())
    return digest.hexdigest()
