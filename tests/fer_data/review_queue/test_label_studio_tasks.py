"""The tasks and the configuration, held against each other as Label Studio's import holds them."""

from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from fer_data.review_queue.label_studio_tasks import labeling_config, to_tasks

EXPRESSIONS = ("angry", "happy", "sad")
QUEUE = pd.DataFrame(
    {
        "path": ["Training/Happy/1.jpg", "Training/Sad/2.jpg"],
        "pixel_hash": ["ab" * 32, "cd" * 32],
        "label": ["happy", "sad"],
        "suggested_label": ["sad", "angry"],
        "label_quality": [0.0, 0.25],
        "issue_type": ["wrong", "ambiguous"],
    }
)
FACES = np.zeros((2, 48, 48), np.uint8)


def config() -> ElementTree.Element:
    return ElementTree.fromstring(labeling_config(EXPRESSIONS))


def only(root: ElementTree.Element, tag: str) -> ElementTree.Element:
    (found,) = root.findall(tag)
    return found


def test_the_configuration_offers_what_a_decision_may_say_with_the_review_app_s_keys() -> None:
    choices = only(config(), "Choices").findall("Choice")
    offered = {one.get("value"): one.get("hotkey") for one in choices}
    assert offered == {"angry": "1", "happy": "2", "sad": "3", "keep": "k", "drop": "x"}


def test_a_tenth_class_has_no_key() -> None:
    root = ElementTree.fromstring(labeling_config(tuple("abcdefghij")))
    choices = only(root, "Choices").findall("Choice")
    keys = [one.get("hotkey") for one in choices]
    assert sorted(one.get("value", "") for one in choices) == sorted(
        [*"abcdefghij", "keep", "drop"]
    )
    assert len({key for key in keys if key}) == 11
    assert keys.count(None) == 1


def test_what_the_configuration_shows_is_in_every_task() -> None:
    shown = [value for one in config().iter() if "$" in (value := one.get("value", ""))]
    names = {value.split("$")[1] for value in shown}
    assert names == {"image", "given_label"}
    assert only(config(), "Image").get("value") == "$image"
    for task in to_tasks(QUEUE, FACES):
        assert names <= set(task["data"])


def errors(prediction: dict[str, Any]) -> list[str]:
    """What Label Studio's import (`LabelInterface.validate_prediction`) would complain about."""
    choices, image = only(config(), "Choices"), only(config(), "Image")
    wrong = []
    if not (isinstance(prediction["score"], float) and 0 <= prediction["score"] <= 1):
        wrong.append("score")
    for region in prediction["result"]:
        if region["from_name"] != choices.get("name"):
            wrong.append("from_name")
        if not region["to_name"] == image.get("name") == choices.get("toName"):
            wrong.append("to_name")
        if region["type"] != choices.tag.lower():
            wrong.append("type")
        offered = {one.get("value") for one in choices}
        if not set(region["value"]["choices"]) <= offered:
            wrong.append("value")
    return wrong


def test_predictions_fit_the_configuration() -> None:
    tasks = to_tasks(QUEUE, FACES)
    predictions = [task["predictions"] for task in tasks]
    assert [len(one) for one in predictions] == [1, 1]
    for task, (prediction,) in zip(tasks, predictions, strict=True):
        assert task["data"]["image"].startswith("data:image/png;base64,")
        assert prediction["model_version"]
        assert errors(prediction) == []
    assert [one["score"] for (one,) in predictions] == pytest.approx([1, 0.75])
    assert len({one["result"][0]["id"] for (one,) in predictions}) == 2
    broken = predictions[0][0] | {"score": 2.0}
    assert errors(broken) == ["score"]


def test_the_issue_type_travels_where_it_is_known() -> None:
    assert [task["data"]["kind"] for task in to_tasks(QUEUE, FACES)] == ["wrong", "ambiguous"]
    assert all(
        "kind" not in task["data"] for task in to_tasks(QUEUE.drop(columns="issue_type"), FACES)
    )
