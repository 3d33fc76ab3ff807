import json
import zipfile
from pathlib import Path
from types import SimpleNamespace

import keras
import pytest
import tensorflow as tf

from fer_data.core.errors import UserError
from fer_models.core.prediction import load_model, read_model
from tests.support.models.ensemble_members import tiny_member
from tests.support.models.evaluation_inputs import EXPRESSIONS, save_tiny_model


@pytest.mark.parametrize(
    ("model", "stage"), [("tiny", "train@tiny"), ("resnet50", "train@resnet50"), ("ensemble",) * 2]
)
def test_a_missing_model_says_how_to_get_it(tmp_path: Path, model: str, stage: str) -> None:
    file = tmp_path / model / "model.keras"
    message = f"{model}/model.keras is missing: `dvc repro {stage}` makes it, `dvc pull` fetches it"
    with pytest.raises(UserError, match=message):
        read_model(file, expressions=EXPRESSIONS)


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.keras").write_text("version https://git-lfs")
    with pytest.raises(UserError, match=r"model\.keras is not a Keras model"):
        read_model(tmp_path / "model.keras", expressions=EXPRESSIONS)


def test_no_model_is_compiled_for_each_number_of_faces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is a GPU, Keras has XLA compile what it is asked, once a shape."""
    save_tiny_model(tmp_path / "model.keras")
    gpu = SimpleNamespace(device_type="GPU", name="/physical_device:GPU:0")
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda *_: [gpu])
    assert read_model(tmp_path / "model.keras", expressions=EXPRESSIONS).jit_compile is False


def saved(folder: Path, **changes: bytes) -> Path:
    """A `.keras` file in which some parts are others."""
    tiny_member(0).save(folder / "whole.keras")
    file = folder / "model.keras"
    with zipfile.ZipFile(folder / "whole.keras") as source, zipfile.ZipFile(file, "w") as target:
        for name in source.namelist():
            target.writestr(name, changes.get(name.partition(".")[0], source.read(name)))
    return file


@pytest.mark.parametrize(
    ("part", "content", "message"),
    [
        ("config", b"{", r"is a damaged Keras model"),
        ("config", b"[" * 100_000, r"nested too deep"),
        ("config", b"{}", r"is no model that Keras \d"),
        ("config", json.dumps({"class_name": "Newer", "module": "keras.layers"}).encode(), "Keras"),
        ("model", b"no weights", r"is no model that Keras"),
    ],
)
def test_what_keras_refuses_is_one_line(
    tmp_path: Path, part: str, content: bytes, message: str
) -> None:
    with pytest.raises(UserError, match=rf"model\.keras .*{message}") as error:
        load_model(saved(tmp_path, **{part: content}))
    assert "\n" not in str(error.value)


def test_a_model_that_was_cut_off_or_has_a_flipped_bit_is_one_line(tmp_path: Path) -> None:
    file = saved(tmp_path)
    data = bytearray(file.read_bytes())
    file.write_bytes(data[: len(data) // 2])
    with pytest.raises(UserError, match=r"model\.keras is not a Keras model"):
        load_model(file)
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    with pytest.raises(UserError, match=r"model\.keras is a damaged Keras model: Bad CRC"):
        load_model(file)


@pytest.mark.parametrize(
    ("shape", "layer", "message"),
    [
        ((32, 32, 1), keras.layers.Flatten(), r"takes \(None, 32, 32, 1\) and gives"),
        ((48, 48, 3), keras.layers.Flatten(), r"takes \(None, 48, 48, 3\) and gives"),
        ((48, 48, 1), keras.layers.Identity(), r"gives \(None, 48, 48, 1\): expected faces, "),
    ],
)
def test_a_model_of_something_else_is_one_line(tmp_path: Path, shape, layer, message) -> None:
    faces = keras.Input(shape)
    keras.Model(faces, layer(faces)).save(tmp_path / "model.keras")
    with pytest.raises(UserError, match=message):
        load_model(tmp_path / "model.keras")
