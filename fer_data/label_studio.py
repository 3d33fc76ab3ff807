"""Turns the review queue into tasks that Label Studio imports, with the suggestion as a prediction.

The pictures travel inside the tasks, so that nothing has to be unpacked or served. The labelling
configuration that fits is an `Image` named `face` with a `Choices` named `expression`.
"""

from typing import Any

import numpy as np
import pandas as pd

from fer_data.page import face_uri
from fer_data.schema import (
    GIVEN_LABEL,
    LABEL,
    LABEL_QUALITY,
    PATH,
    PIXEL_HASH,
    SUGGESTED_LABEL,
)


def to_tasks(queue: pd.DataFrame, faces: np.ndarray) -> list[dict[str, Any]]:
    """One task a face of the queue.

    Args:
        queue: N rows with `path`, `pixel_hash`, `label`, `suggested_label` and `label_quality`.
        faces: uint8 (N, 48, 48), in the same order.

    Returns:
        N tasks in Label Studio's JSON format, each with the picture, the keys of the face, its given
        label, and the suggested expression as a prediction whose score is 1 - `label_quality`.
    """
    rows = queue.to_dict("records")
    return [_to_task(row, face) for row, face in zip(rows, faces, strict=True)]


def _to_task(row: dict[str, Any], face: np.ndarray) -> dict[str, Any]:
    suggestion = {
        "from_name": "expression",
        "to_name": "face",
        "type": "choices",
        "value": {"choices": [row[SUGGESTED_LABEL]]},
    }
    return {
        "data": {
            "image": face_uri(face),
            PIXEL_HASH: row[PIXEL_HASH],
            PATH: row[PATH],
            GIVEN_LABEL: row[LABEL],
        },
        "predictions": [{"score": 1 - row[LABEL_QUALITY], "result": [suggestion]}],
    }
