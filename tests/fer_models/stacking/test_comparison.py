from typing import Any

import numpy as np
import pytest

from fer_models.stacking.comparison import combinations

NUMBER, CLASSES = 600, 3


def voices(*, seed: int, sharpness: float, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Labels, and probabilities that are right but for noise, and the surer the sharper."""
    labels = np.random.default_rng(99).integers(0, CLASSES, NUMBER)
    logits = np.eye(CLASSES)[labels] + noise * np.random.default_rng(seed).normal(
        size=(NUMBER, CLASSES)
    )
    weights = np.exp(sharpness * logits)
    return labels, (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


LABELS, FIRST = voices(seed=1, sharpness=2, noise=0.8)
_, SECOND = voices(seed=2, sharpness=2, noise=0.9)
MEMBERS = {"resnet50": FIRST, "mobilenetv2": SECOND}


def measured(members: dict[str, np.ndarray], head: np.ndarray) -> dict[str, Any]:
    """With the members' mean beside the head."""
    ways = {"mean": np.mean(list(members.values()), axis=0), "head": head}
    return combinations(LABELS, members, ways, seed=0)


def accuracy(probabilities: np.ndarray) -> float:
    return float((probabilities.argmax(axis=1) == LABELS).mean())


def test_each_member_and_way_has_its_figures() -> None:
    found = measured(MEMBERS, FIRST)
    assert found["faces"] == NUMBER
    assert list(found["members"]) == ["resnet50", "mobilenetv2"]
    assert list(found["ways"]) == ["mean", "head"]
    for name, predictions in MEMBERS.items():
        assert found["members"][name]["accuracy"] == pytest.approx(accuracy(predictions))
    rows = np.arange(NUMBER)
    loss = -np.log(FIRST[rows, LABELS].astype(np.float64)).mean()
    assert found["ways"]["head"]["loss"] == pytest.approx(loss)
    mean = (FIRST + SECOND) / 2
    assert found["ways"]["mean"]["accuracy"] == pytest.approx(accuracy(mean))
    assert found["ways"]["mean"]["loss"] == pytest.approx(
        -np.log(mean[rows, LABELS].astype(np.float64)).mean()
    )


def test_gains_are_over_the_best_member_with_the_interval_of_the_difference() -> None:
    found = measured(MEMBERS, SECOND)
    assert found["best_member"] == "resnet50"
    gain = found["ways"]["head"]["gain"]
    assert gain["value"] == pytest.approx(accuracy(SECOND) - accuracy(FIRST))
    assert gain["value"] < 0
    right = [(predictions.argmax(axis=1) == LABELS).astype(int) for predictions in (SECOND, FIRST)]
    spread = 1.96 * np.std(right[0] - right[1]) / np.sqrt(NUMBER)
    assert gain["low"] == pytest.approx(gain["value"] - spread, abs=0.004)
    assert gain["high"] == pytest.approx(gain["value"] + spread, abs=0.004)
    same = measured(MEMBERS, FIRST)["ways"]["head"]["gain"]
    assert same == {"value": 0, "low": 0, "high": 0}


@pytest.mark.parametrize(("head", "way"), [(FIRST, "mean"), (np.eye(CLASSES)[LABELS], "head")])
def test_the_best_way_is_that_of_the_lowest_loss(head: np.ndarray, way: str) -> None:
    found = measured(MEMBERS, head)
    assert found["best_way"] == way
    losses = {name: one["loss"] for name, one in found["ways"].items()}
    assert losses[way] == min(losses.values()) < max(losses.values())


@pytest.mark.parametrize(
    ("head", "winner"),
    [(np.eye(CLASSES)[LABELS], "head"), (np.roll(np.eye(CLASSES)[LABELS], 1, axis=1), None)],
)
def test_the_winner_is_the_most_accurate_of_all(head: np.ndarray, winner: str | None) -> None:
    found = measured(MEMBERS, head)
    assert found["winner"] == winner or (winner is None and found["winner"] != "head")
    figures = {**found["members"], **found["ways"]}
    best = max(one["accuracy"] for one in figures.values())
    assert figures[found["winner"]]["accuracy"] == best


def test_the_lower_loss_breaks_a_tie() -> None:
    sharper = (FIRST**0.5 / (FIRST**0.5).sum(axis=1, keepdims=True)).astype(np.float32)
    members = {"resnet50": FIRST, "mobilenetv2": sharper}
    found = measured(members, FIRST)
    losses = {name: found["members"][name]["loss"] for name in members}
    assert found["members"]["resnet50"]["accuracy"] == found["members"]["mobilenetv2"]["accuracy"]
    assert found["best_member"] == min(losses, key=lambda name: losses[name])
