from pathlib import Path
from types import SimpleNamespace

import pytest
import tensorflow as tf

from fer_data.stage import UserError
from fer_models.inference import read_model
from tests.fer_models.evaluations import save_tiny_model


@pytest.mark.parametrize(
    ("model", "stage"), [("tiny", "train@tiny"), ("resnet50", "train@resnet50"), ("ensemble",) * 2]
)
def test_a_missing_model_says_how_to_get_it(tmp_path: Path, model: str, stage: str) -> None:
    file = tmp_path / model / "model.keras"
    message = f"{model}/model.keras is missing: `dvc repro {stage}` makes it, `dvc pull` fetches it"
    with pytest.raises(UserError, match=message):
        read_model(file)


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.keras").write_text("version https://git-lfs")
    with pytest.raises(UserError, match=r"model\.keras is not a Keras model"):
        read_model(tmp_path / "model.keras")


def test_no_model_is_compiled_for_each_number_of_faces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is a GPU, Keras has XLA compile what it is asked, once a shape."""
    save_tiny_model(tmp_path / "model.keras")
    gpu = SimpleNamespace(device_type="GPU", name="/physical_device:GPU:0")
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda *_: [gpu])
    assert read_model(tmp_path / "model.keras").jit_compile is False
