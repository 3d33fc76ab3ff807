"""Exported models against Keras, each zoo row at tiny size, converted once a format."""

import json
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from fer_data.core.errors import UserError
from fer_data.core.tfrecord import Examples
from fer_models.export import to_onnx
from fer_models.export.export import Comparison, export_model
from fer_models.export.formats import FORMATS, ExportedModel, read_exported
from fer_models.networks.registry import ZOO, Base
from fer_models.stacking.members import build_head, join
from flows.commands.export_stored import export_stored
from tests.support.models.ensemble_members import tiny_member
from tests.support.models.small_networks import build, seen_faces
from tests.support.models.tiny_dataset import EXPRESSIONS, banded_faces

SHORT_ENDS = {
    "ResNet50": "conv3_block1_out",
    "MobileNetV2": "block_3_project_BN",
    "InceptionV3": "mixed1",
}
SIX = ("angry", "fear", "happy", "neutral", "sad", "surprise")


def examples_of(num_faces: int) -> Examples:
    faces, labels = banded_faces(num_faces)
    weights = np.ones(num_faces, np.float32)
    return Examples(faces[..., np.newaxis], labels, weights, paths=[], pixel_hashes=[])


EXAMPLES = {"train": examples_of(100), "validation": examples_of(300)}
FACES = EXAMPLES["validation"].faces[:7]


@pytest.fixture(scope="module")
def ensemble() -> keras.Model:
    keras.utils.set_random_seed(0)
    members = {name: tiny_member(seed) for seed, name in enumerate(("resnet50", "mobilenetv2"))}
    return join(members, build_head(2, 3))


@pytest.mark.parametrize("name", ZOO)
def test_every_row_of_the_zoo_says_the_same_in_every_format(
    name: str, tmp_path: Path, monkeypatch
) -> None:
    base = ZOO[name].base
    if base is not None:
        _shorten(base, monkeypatch)
    model = build(name)
    predictions = model.predict(EXAMPLES["validation"].faces, verbose=0)
    assert predictions.std(axis=0).max() > 0.001  # what a face shows arrives at the end
    for form, row in FORMATS.items():
        target = tmp_path / f"{name}{row.suffix}"
        compared = export_model(model, target, form=form, expressions=SIX, examples=EXAMPLES)
        assert compared.faces == 256
        assert compared.difference < 1e-4
        assert compared.accuracies is None
    assert len(list(tmp_path.iterdir())) == len(FORMATS)


def _shorten(base: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets a base end early, since converters take minutes for all of it: all kinds of layers stay."""
    application = base.application
    whole = getattr(keras.applications, application)

    def short(**options: Any) -> keras.Model:
        network = whole(**options)
        end = network.get_layer(SHORT_ENDS[application]).output
        cut = keras.Model(network.inputs[0], end, name="base")
        assert set(map(type, cut.layers)) == set(map(type, network.layers))
        assert len(cut.layers) < 0.4 * len(network.layers)
        return seen_faces(cut, base)

    monkeypatch.setattr(keras.applications, application, short)


@pytest.mark.parametrize("form", FORMATS)
def test_the_ensemble_says_the_same(form: str, ensemble: keras.Model, tmp_path: Path) -> None:
    compared = export_model(
        ensemble, tmp_path / "it", form=form, expressions=EXPRESSIONS, examples=EXAMPLES
    )
    assert compared.difference < 1e-4


def test_five_lines_of_onnx_runtime_suffice(ensemble: keras.Model, tmp_path: Path) -> None:
    """Those of docs/guide/using.md."""
    lines = (Path(__file__).parents[3] / "docs/guide/using.md").read_text().split("```python\n")
    code = next(part.split("```")[0] for part in lines if "onnxruntime" in part)
    assert sum(bool(line) for line in code.splitlines()) == 5
    file = tmp_path / "scratch.onnx"
    export_model(ensemble, file, form="onnx", expressions=EXPRESSIONS, examples=EXAMPLES)
    predictions: list[str] = []
    names = {"faces": FACES, "print": lambda words: predictions.extend(words)}
    exec(code.replace('"scratch.onnx"', repr(str(file))), names)
    expected = ensemble.predict(FACES, verbose=0).argmax(axis=1)
    assert predictions == [EXPRESSIONS[number] for number in expected]
    assert len(set(predictions)) > 1


def test_an_onnx_file_says_what_goes_in_and_out(ensemble: keras.Model, tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    export_model(ensemble, file, form="onnx", expressions=EXPRESSIONS, examples=EXAMPLES)
    onnx.checker.check_model(str(file), full_check=True)
    session = onnxruntime.InferenceSession(file)
    faces, probabilities = session.get_inputs()[0], session.get_outputs()[0]
    assert (faces.name, faces.type) == ("faces", "tensor(uint8)")
    assert faces.shape == ["N", 48, 48, 1]
    assert (probabilities.name, probabilities.shape) == ("probabilities", ["N", 3])
    metadata = session.get_modelmeta().custom_metadata_map
    assert json.loads(metadata["expressions"]) == list(EXPRESSIONS)


def test_a_litert_file_holds_its_labels(ensemble: keras.Model, tmp_path: Path) -> None:
    file = tmp_path / "model.tflite"
    export_model(ensemble, file, form="litert", expressions=EXPRESSIONS, examples=EXAMPLES)
    labels = zipfile.ZipFile(file).read("labels.txt").decode().splitlines()
    assert labels == list(EXPRESSIONS)
    predictions = Interpreter(str(file)).get_signature_runner()(faces=FACES[:1])["probabilities"]
    np.testing.assert_allclose(predictions, ensemble.predict(FACES[:1], verbose=0), atol=1e-5)


def test_a_saved_model_holds_its_labels(ensemble: keras.Model, tmp_path: Path) -> None:
    folder = tmp_path / "model.saved_model"
    export_model(ensemble, folder, form="saved_model", expressions=EXPRESSIONS, examples=EXAMPLES)
    loaded = tf.saved_model.load(str(folder))
    labels = loaded.signatures["expressions"]()["expressions"].numpy()
    assert [label.decode() for label in labels] == list(EXPRESSIONS)


def test_eight_bits_are_smaller_and_their_accuracy_is_told(tmp_path: Path) -> None:
    model = build("scratch")
    sizes: list[int] = []
    for int8 in (False, True):
        file = tmp_path / "model.tflite"
        compared = export_model(
            model, file, form="litert", expressions=SIX, examples=EXAMPLES, int8=int8
        )
        sizes.append(file.stat().st_size)
    assert sizes[1] < sizes[0] / 3
    assert compared.accuracies is not None
    right = model.predict(EXAMPLES["validation"].faces, verbose=0).argmax(axis=1)
    assert compared.accuracies[0] == (right == EXAMPLES["validation"].labels).mean()
    assert 0 < compared.difference < 0.05
    assert " with 8 bits, " in str(compared)


def test_a_model_that_says_something_else_is_not_written(
    ensemble: keras.Model, tmp_path: Path, monkeypatch
) -> None:
    read = to_onnx.read
    for error in (0.002, np.nan):

        def read_wrong(file: Path, error: float = error) -> ExportedModel:
            predict = read(file).predict_on_batch
            return ExportedModel(EXPRESSIONS, lambda faces: predict(faces) + np.float32(error))

        monkeypatch.setattr(to_onnx, "read", read_wrong)
        with pytest.raises(
            UserError, match=r"the onnx model differs from the original by .*0\.001"
        ):
            export_model(
                ensemble, tmp_path / "it", form="onnx", expressions=EXPRESSIONS, examples=EXAMPLES
            )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("form", "package"), [("onnx", "tf2onnx"), ("litert", "ai_edge_litert")])
def test_a_missing_package_is_named_with_the_command(
    form: str, package: str, ensemble: keras.Model, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.delitem(sys.modules, FORMATS[form].module, raising=False)
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [_Without(package), *sys.meta_path])
    message = rf"the format {form} needs the package {package}.*: pip install 'ferflow\[export\]'"
    with pytest.raises(UserError, match=message):
        export_model(
            ensemble, tmp_path / "it", form=form, expressions=EXPRESSIONS, examples=EXAMPLES
        )


class _Without(SimpleNamespace):
    """An import system in which a package is not installed."""

    def __init__(self, package: str) -> None:
        super().__init__(package=package)

    def find_spec(self, name: str, *_: object) -> None:
        if name.partition(".")[0] == self.package:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


@pytest.mark.parametrize(
    ("form", "int8", "message"),
    [
        ("caffe", False, "no format 'caffe': expected one of onnx, litert, saved_model"),
        ("onnx", True, "onnx has no 8 bits here: `--int8` is for litert"),
    ],
)
def test_what_cannot_be_done_is_said_first(form: str, int8: bool, message: str) -> None:
    with pytest.raises(UserError, match=message):
        export_stored("scratch", form=form, int8=int8)


@pytest.mark.parametrize("form", FORMATS)
def test_an_exported_model_is_read_back_with_its_labels(
    form: str, ensemble: keras.Model, tmp_path: Path
) -> None:
    target = tmp_path / f"it{FORMATS[form].suffix}"
    export_model(ensemble, target, form=form, expressions=EXPRESSIONS, examples=EXAMPLES)
    exported = read_exported(target, trusted=True)
    assert exported.expressions == EXPRESSIONS
    expected = ensemble.predict(FACES, verbose=0)
    for count in (7, 1, 3):  # batches of changing sizes
        predictions = exported.predict_on_batch(FACES[:count])
        np.testing.assert_allclose(predictions, expected[:count], atol=1e-5)


@pytest.mark.parametrize("form", FORMATS)
def test_what_is_no_exported_model_is_one_line(form: str, tmp_path: Path) -> None:
    file = tmp_path / f"it{FORMATS[form].suffix}"
    with pytest.raises(UserError, match=r"it\..* is missing: `ferflow export` writes it$"):
        read_exported(file, trusted=True)
    file.write_text("no model")
    with pytest.raises(UserError, match=rf"is no {form} model of `ferflow export`: .+") as raised:
        read_exported(file, trusted=True)
    assert "\n" not in str(raised.value)


def test_a_comparison_reads_as_a_sentence() -> None:
    words = str(Comparison(faces=256, difference=2.4e-7, accuracies=None))
    assert words == "largest difference in probability 2.4e-07 on 256 faces of `validation`"
