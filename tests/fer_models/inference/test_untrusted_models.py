"""Models of strangers: nothing in them is run, and nothing in them unpacks without an end."""

import io
import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import pytest
import tensorflow as tf

from fer_data.core.errors import UserError
from fer_models.core.prediction import load_model
from fer_models.export import to_litert, to_onnx, to_saved_model
from fer_models.export.formats import read_exported
from fer_models.inference.bundle import pack
from fer_models.inference.model_store import open_model, open_model_store
from fer_models.inference.sources import Workspace
from tests.support.models.ensemble_members import tiny_member
from tests.support.models.tiny_dataset import EXPRESSIONS
from tests.support.models.trained_workspace import make_models

ZEROS = bytes(30_000_000)
"""What shrinks to a thousandth."""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("strangers")
    workspace = make_models(folder / "workspace", "scratch")
    pack(Workspace(workspace), ["scratch"], folder / "bundle.zip", revision=None)
    return folder / "bundle.zip"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    tiny_member(0).save(tmp_path / "model.keras")
    return tmp_path / "model.keras"


def repacked(file: Path, changes: dict[str, bytes], *, method: int = zipfile.ZIP_DEFLATED) -> Path:
    """A copy of a zip archive with other members, or more."""
    target = file.with_name(f"repacked{file.suffix}")
    with zipfile.ZipFile(file) as source, zipfile.ZipFile(target, "w", method) as copy:
        members = {name: source.read(name) for name in source.namelist()} | changes
        for name, content in members.items():
            copy.writestr(name, content)
    return target


def with_claim(file: Path, name: str, size: int) -> Path:
    """The archive, whose directory claims that a member is so large."""
    data = bytearray(file.read_bytes())
    at = data.rindex(b"PK\x01\x02", 0, data.rindex(name.encode()))
    data[at + 24 : at + 28] = size.to_bytes(4, "little")
    file.write_bytes(data)
    return file


def test_a_bundle_that_is_packed_anew_is_read(bundle: Path) -> None:
    again = repacked(bundle, {})
    assert again.stat().st_size < bundle.stat().st_size
    assert open_model_store(bundle=again).load("scratch").expressions == EXPRESSIONS


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"models/scratch/model.keras": ZEROS}, r"unpacks to \d,?\d\d\d? times its size"),
        ({"bundle.json": b'{"version": 1}' + b" " * 1_000_000}, "has more than 1,000,000 bytes"),
        ({f"{number}": b"" for number in range(1000)}, "1,005 members, expected at most 1,000"),
        ({f"{number:0>1000}": b"" for number in range(999)}, r"a directory of 1,\d+,\d+ bytes"),
    ],
)
def test_a_bundle_larger_than_bundles_are_is_refused(
    bundle: Path, changes: dict[str, bytes], message: str
) -> None:
    with pytest.raises(UserError, match=rf"repacked\.zip is refused: .*{message}"):
        open_model_store(bundle=repacked(bundle, changes))


def test_a_part_is_counted_as_it_comes(bundle: Path) -> None:
    noise = np.random.default_rng(0).bytes(20_000_001)
    store = open_model_store(bundle=repacked(bundle, {"models/scratch/metrics.json": noise}))
    with pytest.raises(UserError, match=r"scratch/metrics\.json has more than 20,000,000 bytes"):
        store.load("scratch")


def test_a_part_that_claims_less_than_comes_is_damaged(bundle: Path) -> None:
    other = repacked(bundle, {"models/scratch/metrics.json": ZEROS[:9_000_000]})
    with_claim(other, "models/scratch/metrics.json", 300)
    with pytest.raises(UserError, match=r"is damaged: models/scratch/metrics\.json in it"):
        open_model_store(bundle=other).load("scratch")


def test_a_model_that_unpacks_without_an_end_is_refused(model: Path) -> None:
    with pytest.raises(UserError, match=r"repacked\.keras is refused: unpacks to .* times its"):
        load_model(repacked(model, {"model.weights.h5": ZEROS}))


def layered(*layers: Any) -> keras.Model:
    faces = keras.Input((48, 48, 1), dtype="uint8")
    outputs = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(faces))
    for layer in (*layers, keras.layers.Dense(3, "softmax")):
        outputs = layer(outputs)
    return keras.Model(faces, outputs)


def with_function(config: Any, module: str, name: str) -> Any:
    """The configuration, with another activation at its end."""
    named = {"module": module, "class_name": "function", "config": name, "registered_name": name}
    config["config"]["layers"][-1]["config"]["activation"] = named
    return config


def of_a_custom_layer(config: Any) -> Any:
    config["config"]["layers"][-1] |= {"module": "os", "class_name": "system"}
    return config


@pytest.mark.parametrize(
    ("change", "held"),
    [
        (lambda config: with_function(config, "keras.utils", "plot_model"), "utils.plot_model"),
        (lambda config: with_function(config, "keras.utils", "get_file"), "utils.get_file"),
        (lambda config: with_function(config, "os", "system"), r"os\.system"),
        (of_a_custom_layer, r"os\.system"),
    ],
)
def test_a_model_that_names_more_than_layers_is_refused(
    model: Path, change: Callable[[Any], Any], held: str
) -> None:
    with zipfile.ZipFile(model) as archive:
        config = json.loads(archive.read("config.json"))
    other = repacked(model, {"config.json": json.dumps(change(config)).encode()})
    with pytest.raises(UserError, match=rf"holds .*{held}, which can run code") as error:
        load_model(other)
    assert "\n" not in str(error.value)


def test_a_lambda_is_one_line(tmp_path: Path) -> None:
    touched, file = tmp_path / "touched", tmp_path / "lambda.keras"
    code = f"lambda faces: (open({str(touched)!r}, 'w').close(), faces)[1]"
    layered(keras.layers.Lambda(eval(code))).save(file)
    touched.unlink()
    with pytest.raises(UserError, match=r"holds keras\.layers\.Lambda, which can run code"):
        load_model(file)
    assert not touched.exists()


def test_a_saved_model_is_not_loaded_unless_it_is_trusted(tmp_path: Path, monkeypatch) -> None:
    folder = tmp_path / "it.saved_model"
    to_saved_model.write(tiny_member(0), folder, expressions=EXPRESSIONS)
    loads: list[str] = []
    load = tf.saved_model.load
    monkeypatch.setattr(tf.saved_model, "load", lambda path: loads.append(path) or load(path))
    with pytest.raises(UserError, match=r"can read and write any file of yours .* add `--trust`"):
        open_model(str(folder))
    assert loads == []
    assert open_model(str(folder), trusted=True).expressions == EXPRESSIONS
    assert len(loads) == 1


def test_an_onnx_file_reads_no_other_file(tmp_path: Path) -> None:
    to_onnx.write(tiny_member(0), tmp_path / "whole.onnx", expressions=EXPRESSIONS)
    loaded = onnx.load(tmp_path / "whole.onnx")
    other = tmp_path / "parted.onnx"
    onnx.save(loaded, other, save_as_external_data=True, location="weights.bin", size_threshold=0)
    assert (tmp_path / "weights.bin").exists()
    with pytest.raises(UserError, match="its weights lie in other files: expected them inside"):
        read_exported(other)
    assert read_exported(tmp_path / "whole.onnx").expressions == EXPRESSIONS


def test_labels_of_a_litert_file_have_an_end(tmp_path: Path) -> None:
    file = tmp_path / "it.tflite"
    to_litert.write(tiny_member(0), file, expressions=EXPRESSIONS)
    bare = file.read_bytes()[: zipfile.ZipFile(file).infolist()[0].header_offset]
    labels = io.BytesIO()
    with zipfile.ZipFile(labels, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("labels.txt", b"\n" * 200_000)
    file.write_bytes(bare + labels.getvalue())
    with pytest.raises(UserError, match=re.escape("labels.txt has more than 100,000 bytes")):
        read_exported(file)
