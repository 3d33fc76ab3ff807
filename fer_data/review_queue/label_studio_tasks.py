"""Writes the review queue as Label Studio tasks, with the suggested label as a prediction.

The images travel inside the tasks, so that nothing has to be unpacked or served. The names of the
labeling configuration, of the predictions and of what people answer are the same.
"""

from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np
import pandas as pd

from fer_data.core.schema import (
    DROP,
    GIVEN_LABEL,
    ISSUE_TYPE,
    KEEP,
    LABEL,
    LABEL_QUALITY,
    PATH,
    PIXEL_HASH,
    SUGGESTED_LABEL,
)
from fer_data.web.html import face_uri

IMAGE = "face"
"""The configuration's object: what is looked at."""
CHOICES = "expression"
"""The configuration's control: what is answered."""
CHOICES_TYPE = "choices"
TASK_ISSUE_TYPE = "kind"
"""The name of an issue type in a task, which labeling configurations of earlier versions show."""
MODEL_VERSION = "ferflow"
"""Label Studio's name for where predictions come from."""


def to_tasks(queue: pd.DataFrame, faces: np.ndarray) -> list[dict[str, Any]]:
    """Makes a task for each face of the queue.

    Args:
        queue: N rows with `path`, `pixel_hash`, `label`, `suggested_label` and `label_quality`, and
            `issue_type` where it is known: a task calls it `kind`.
        faces: uint8 (N, 48, 48), in the same order.

    Returns:
        N tasks in Label Studio's JSON format, each with the image, the keys of the face, its given
        label, and the suggested expression as a prediction whose score is 1 - `label_quality`.
    """
    rows = zip(queue.to_dict("records"), faces, strict=True)
    return [_to_task(number, row, face) for number, (row, face) in enumerate(rows, start=1)]


def labeling_config(expressions: tuple[str, ...]) -> str:
    """The labeling configuration that fits the tasks: XML for a project's settings.

    Args:
        expressions: The classes; the first nine have the keys 1 to 9, `keep` has k and `drop` x.
    """
    keys = {str(number): name for number, name in enumerate(expressions[:9], start=1)}
    keys |= {"k": KEEP, "x": DROP}
    choices = [(key, name) for key, name in keys.items()] + [("", name) for name in expressions[9:]]
    lines = [
        "<View>",
        f'  <Image name="{IMAGE}" value="$image" smoothing="false"/>',
        f'  <Header value="In the archive: ${GIVEN_LABEL}"/>',
        f'  <Choices name="{CHOICES}" toName="{IMAGE}" choice="single" showInline="true"'
        ' required="true">',
        *(
            f"    <Choice value={quoteattr(name)}" + (f' hotkey="{key}"' if key else "") + "/>"
            for key, name in choices
        ),
        "  </Choices>",
        "</View>",
    ]
    return "\n".join(lines)


def _to_task(number: int, row: dict[str, Any], face: np.ndarray) -> dict[str, Any]:
    data = {
        "image": face_uri(face),
        PIXEL_HASH: row[PIXEL_HASH],
        PATH: row[PATH],
        GIVEN_LABEL: row[LABEL],
    }
    if ISSUE_TYPE in row:
        data[TASK_ISSUE_TYPE] = row[ISSUE_TYPE]
    suggestion = {
        "id": f"suggestion-{number}",
        "from_name": CHOICES,
        "to_name": IMAGE,
        "type": CHOICES_TYPE,
        "value": {"choices": [row[SUGGESTED_LABEL]]},
    }
    prediction = {
        "model_version": MODEL_VERSION,
        "score": 1 - row[LABEL_QUALITY],
        "result": [suggestion],
    }
    return {"data": data, "predictions": [prediction]}
