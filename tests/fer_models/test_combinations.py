import numpy as np
import pytest

from fer_models.combinations import combinations

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


def accuracy(probabilities: np.ndarray) -> float:
    return float((probabilities.argmax(axis=1) == LABELS).mean())


def test_each_member_and_way_has_its_figures() -> None:
    found = combinations(LABELS, MEMBERS, FIRST, seed=0)
    assert found["faces"] == NUMBER
    assert list(found["members"]) == ["resnet50", "mobilenetv2"]
    assert list(found["ways"]) == ["mean", "calibrated_mean", "head"]
    for name, said in MEMBERS.items():
        assert found["members"][name]["accuracy"] == pytest.approx(accuracy(said))
    rows = np.arange(NUMBER)
    loss = -np.log(FIRST[rows, LABELS].astype(np.float64)).mean()
    assert found["ways"]["head"]["loss"] == pytest.approx(loss)
    mean = (FIRST + SECOND) / 2
    assert found["ways"]["mean"]["accuracy"] == pytest.approx(accuracy(mean))
    assert found["ways"]["mean"]["loss"] == pytest.approx(
        -np.log(mean[rows, LABELS].astype(np.float64)).mean()
    )


def test_gains_are_over_the_best_member_with_the_interval_of_the_difference() -> None:
    found = combinations(LABELS, MEMBERS, SECOND, seed=0)
    assert found["best_member"] == "resnet50"
    gain = found["ways"]["head"]["gain"]
    assert gain["value"] == pytest.approx(accuracy(SECOND) - accuracy(FIRST))
    assert gain["value"] < 0
    right = [(said.argmax(axis=1) == LABELS).astype(int) for said in (SECOND, FIRST)]
    spread = 1.96 * np.std(right[0] - right[1]) / np.sqrt(NUMBER)
    assert gain["low"] == pytest.approx(gain["value"] - spread, abs=0.004)
    assert gain["high"] == pytest.approx(gain["value"] + spread, abs=0.004)
    same = combinations(LABELS, MEMBERS, FIRST, seed=0)["ways"]["head"]["gain"]
    assert same == {"value": 0, "low": 0, "high": 0}


def test_a_member_that_is_too_sure_is_cooled_before_the_mean() -> None:
    """The sharper a member, the more it drowns the others, unless it is calibrated."""
    _, loud = voices(seed=3, sharpness=12, noise=1.6)
    members = {"resnet50": FIRST, "inceptionv3": loud}
    found = combinations(LABELS, members, FIRST, seed=0)
    assert found["members"]["inceptionv3"]["temperature"] > 5
    assert found["members"]["resnet50"]["temperature"] < 2
    ways = found["ways"]
    assert ways["calibrated_mean"]["accuracy"] > ways["mean"]["accuracy"] + 0.02
    assert ways["calibrated_mean"]["loss"] < ways["mean"]["loss"]


@pytest.mark.parametrize(
    ("head", "winner"),
    [(np.eye(CLASSES)[LABELS], "head"), (np.roll(np.eye(CLASSES)[LABELS], 1, axis=1), None)],
)
def test_the_winner_is_the_most_accurate_of_all(head: np.ndarray, winner: str | None) -> None:
    found = combinations(LABELS, MEMBERS, head, seed=0)
    assert found["winner"] == winner or (winner is None and found["winner"] != "head")
    figures = {**found["members"], **found["ways"]}
    best = max(one["accuracy"] for one in figures.values())
    assert figures[found["winner"]]["accuracy"] == best


def test_the_lower_loss_breaks_a_tie() -> None:
    sharper = (FIRST**0.5 / (FIRST**0.5).sum(axis=1, keepdims=True)).astype(np.float32)
    members = {"resnet50": FIRST, "mobilenetv2": sharper}
    found = combinations(LABELS, members, FIRST, seed=0)
    losses = {name: found["members"][name]["loss"] for name in members}
    assert found["members"]["resnet50"]["accuracy"] == found["members"]["mobilenetv2"]["accuracy"]
    assert found["best_member"] == min(losses, key=lambda name: losses[name])
