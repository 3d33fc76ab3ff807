"""Trainings of benchmarks: each once, whoever asks for it, and after a break from where it was."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from benchmarks.kept import Clock, Kept
from benchmarks.trainings import Faces
from fer_data.core.errors import UserError
from fer_models.training.checkpoints import Checkpoint, Checkpoints
from fer_models.training.samples import Samples

LABELS = np.array([0, 1, 2, 1])
ANSWERS = np.array([[0.8, 0.1, 0.1], [0.2, 0.5, 0.3], [0.6, 0.3, 0.1], [0.2, 0.7, 0.1]])
RIGHT = [True, True, False, True]
SAMPLES = Samples(np.zeros((4, 48, 48, 1), np.uint8), LABELS, np.ones(4, np.float32))
FACES = Faces(SAMPLES, SAMPLES, 3, ("digest",))
MODEL: Any = SimpleNamespace(predict=lambda *_, **__: ANSWERS)


@pytest.fixture
def once(tmp_path: Path) -> Callable[..., str]:
    """Asks for one training: of a new `Kept`, as another process would."""

    def ask(train: Callable[[Checkpoints], Any], **changes: Any) -> str:
        asked = {"settings": ["recipe"], "arm": "recipe", "seed": 0, "epochs": 2, **changes}
        return Kept(tmp_path / "kept.csv").once(train, FACES, **asked)

    return ask


def never(_: Checkpoints) -> Any:
    pytest.fail("trained once more")


def test_a_finished_training_is_not_repeated(once: Callable[..., str], tmp_path: Path) -> None:
    key = once(lambda _: MODEL, test=SAMPLES)
    assert once(never, test=SAMPLES) == key
    assert once(lambda _: MODEL, settings=["another recipe"]) != key
    found = Kept(tmp_path / "kept.csv").trainings([key], num_faces=4, num_test_faces=4)
    np.testing.assert_array_equal(found.right, [RIGHT])
    assert found.right_on_test is not None
    np.testing.assert_array_equal(found.right_on_test, [RIGHT])
    assert found.loss == pytest.approx(-np.log([0.8, 0.5, 0.1, 0.7]).mean())
    assert not list((tmp_path / "kept.csv.unfinished").iterdir())


def test_a_killed_training_goes_on_and_its_clock_too(
    once: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr("time.perf_counter", lambda: now)

    def killed(kept: Checkpoints) -> Any:
        nonlocal now
        assert kept.newest() is None
        now += 60.0
        kept.save(Checkpoint(1, {"model": [LABELS]}, {"history": [0.5]}))
        now += 10.0  # of an epoch that nobody keeps
        raise KeyboardInterrupt

    def going_on(kept: Checkpoints) -> Any:
        nonlocal now
        found = kept.newest()
        assert found is not None
        assert (found.epoch, found.state["history"]) == (1, [0.5])
        now += 120.0
        return MODEL

    with pytest.raises(KeyboardInterrupt):
        once(killed)
    key = once(going_on)
    assert Kept(tmp_path / "kept.csv").trainings([key], num_faces=4).minutes == pytest.approx(3.0)


def test_a_training_that_another_process_is_at_is_left_to_it(
    once: Callable[..., str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def asked_for_meanwhile(_: Checkpoints) -> Any:
        key = once(never)
        assert "arm recipe, seed 0, epochs 2: left to the process" in capsys.readouterr().err
        with pytest.raises(UserError, match="still at 1 of these trainings: run this again"):
            Kept(tmp_path / "kept.csv").trainings([key], num_faces=4)
        return MODEL

    key = once(asked_for_meanwhile)
    Kept(tmp_path / "kept.csv").trainings([key], num_faces=4)


def test_the_clock_counts_the_processor_apart() -> None:
    seconds = Clock(earlier={"seconds": 100.0, "processor_seconds": 150.0}).seconds
    assert 100.0 <= seconds["seconds"] < 110.0
    assert 150.0 <= seconds["processor_seconds"] < 160.0
