import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from fer_data.core.errors import UserError
from fer_data.core.files import sha256_of
from fer_data.core.tables import with_probabilities, write_table
from fer_data.core.tfrecord import Examples
from fer_models.core.prediction import read_model
from fer_models.core.serialization import save_model
from fer_models.stacking.members import build_head, join, read_member_predictions
from tests.support.models.ensemble_members import NAMES, tiny_member, write_members
from tests.support.models.small_networks import FACES, SMALLEST, build
from tests.support.models.tiny_dataset import EXPRESSIONS, banded_faces

NUMBER = 40


@pytest.fixture
def faces() -> tuple[np.ndarray, np.ndarray]:
    faces, labels = banded_faces(NUMBER)
    return faces[..., np.newaxis], labels


def members() -> dict[str, keras.Model]:
    return {name: tiny_member(seed) for seed, name in enumerate(NAMES)}


def side_by_side(faces: np.ndarray) -> np.ndarray:
    return np.concatenate([one.predict(faces, verbose=0) for one in members().values()], axis=1)


def started_head() -> keras.Model:
    keras.utils.set_random_seed(0)
    return build_head(len(NAMES), 3)


def test_one_model_gives_what_the_head_gives_on_the_members_outputs(faces) -> None:
    head = started_head()
    expected = head.predict(side_by_side(faces[0]), verbose=0)
    ensemble = join(members(), head)
    assert ensemble.output_shape == (None, 3)
    np.testing.assert_allclose(ensemble.predict(faces[0], verbose=0), expected, atol=1e-6)
    in_training = np.asarray(ensemble(faces[0], training=True))
    np.testing.assert_allclose(in_training, expected, atol=1e-6)


def test_the_head_alone_can_be_trained() -> None:
    ensemble = join(members(), started_head())
    assert [variable.path for variable in ensemble.trainable_variables] == [
        "probabilities/kernel",
        "probabilities/bias",
    ]
    assert ensemble.trainable_variables[0].shape == (6, 3)


def test_training_on_saved_predictions_is_training_with_the_members_in_every_epoch(faces) -> None:
    """The same mathematics: equal weights, but for the last bits of the members' outputs."""
    pixels, labels = faces
    heads = (started_head(), started_head())
    whole = join(members(), heads[1])
    for model, inputs in ((heads[0], side_by_side(pixels)), (whole, pixels)):
        model.compile(keras.optimizers.Adam(0.05), "sparse_categorical_crossentropy")
        model.fit(inputs, labels, batch_size=16, epochs=4, shuffle=False, verbose=0)
    start = started_head().get_weights()
    for ours, theirs, before in zip(
        heads[0].get_weights(), heads[1].get_weights(), start, strict=True
    ):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
        assert np.abs(ours - before).max() > 0.05


def test_training_leaves_the_members_as_they_were(faces) -> None:
    ours = members()
    whole = join(ours, started_head())
    whole.compile("adam", "sparse_categorical_crossentropy")
    whole.fit(*faces, epochs=1, verbose=0)
    for seed, member in enumerate(ours.values()):
        for now, before in zip(member.get_weights(), tiny_member(seed).get_weights(), strict=True):
            np.testing.assert_array_equal(now, before)


@pytest.mark.parametrize("name", SMALLEST)
def test_a_fine_tune_stays_as_it_was(name: str) -> None:
    """Its batch norms are in a network in a network, and were trainable before."""
    member = build(name, dropout=[0.0, 0.0])
    before = [np.array(weights) for weights in member.get_weights()]
    expected = member.predict(FACES, verbose=0)
    whole = join({name: member}, build_head(1, 6))
    whole.compile("adam", "sparse_categorical_crossentropy")
    whole.fit(FACES, np.array([0, 1]), epochs=1, verbose=0)
    assert len(whole.trainable_variables) == 2
    for now, then in zip(member.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)
    inner = whole.get_layer(name)
    np.testing.assert_allclose(np.asarray(inner(FACES, training=True)), expected, atol=1e-5)


def test_the_saved_ensemble_needs_keras_alone_and_gives_equal_outputs_and_bytes(
    faces, tmp_path: Path
) -> None:
    write_members(tmp_path, *NAMES)
    for name in ("first", "second"):
        files = {member: tmp_path / member / "model.keras" for member in NAMES}
        loaded = {
            member: read_model(file, expressions=EXPRESSIONS) for member, file in files.items()
        }
        ensemble = join(loaded, started_head())
        save_model(ensemble, tmp_path / f"{name}.keras", expressions=EXPRESSIONS)
    assert (tmp_path / "first.keras").read_bytes() == (tmp_path / "second.keras").read_bytes()
    code = f"""
import keras, numpy
model = keras.models.load_model("{tmp_path}/first.keras")
numpy.save("{tmp_path}/predictions.npy", model.predict(numpy.load("{tmp_path}/faces.npy"), verbose=0))
"""
    np.save(tmp_path / "faces.npy", faces[0])
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True)
    expected = ensemble.predict(faces[0], verbose=0)
    np.testing.assert_allclose(np.load(tmp_path / "predictions.npy"), expected, atol=1e-6)


def write_predictions(folder: Path, examples: dict[str, Examples]) -> tuple[Path, Path]:
    """A member's file, and a table of uniform probabilities that belongs to it."""
    model_file = folder / "models/resnet50/model.keras"
    model_file.parent.mkdir(parents=True)
    model_file.write_text("weights")
    tables = [
        with_probabilities(
            pd.DataFrame({"split": split, "path": faces.paths}),
            np.full((len(faces.paths), 3), 1 / 3),
        )
        for split, faces in examples.items()
    ]
    table = pd.concat(tables, ignore_index=True).assign(model_hash=sha256_of(model_file))
    write_table(table, folder / "resnet50.parquet", expressions=EXPRESSIONS)
    return folder / "resnet50.parquet", model_file


def examples_named(*paths: str) -> Examples:
    nothing = np.zeros(len(paths), np.int64)
    return Examples(nothing, nothing, nothing, list(paths), list(paths))


EXAMPLES = {"train": examples_named("a", "a", "b"), "validation": examples_named("c")}


def test_predictions_are_read_by_split(tmp_path: Path) -> None:
    predictions = read_member_predictions(
        *write_predictions(tmp_path, EXAMPLES), examples=EXAMPLES, expressions=EXPRESSIONS
    )
    assert {split: of_split.shape for split, of_split in predictions.items()} == {
        "train": (3, 3),
        "validation": (1, 3),
    }
    assert predictions["train"].dtype == np.float32


def test_predictions_of_another_model_file_are_refused(tmp_path: Path) -> None:
    table, model_file = write_predictions(tmp_path, EXAMPLES)
    model_file.write_text("other weights")
    message = (
        r"resnet50\.parquet was made by another version of .*model\.keras: "
        "`dvc repro member_predictions@resnet50` rebuilds it"
    )
    with pytest.raises(UserError, match=message):
        read_member_predictions(table, model_file, examples=EXAMPLES, expressions=EXPRESSIONS)


@pytest.mark.parametrize(
    ("train", "message"),
    [
        (
            ("a", "a"),
            "it has 3 faces of the split 'train', the records have 2; `dvc repro member_predictions@",
        ),
        (("a", "b", "a"), "made from other records"),
    ],
)
def test_predictions_of_other_records_are_refused(tmp_path: Path, train, message: str) -> None:
    files = write_predictions(tmp_path, EXAMPLES)
    now = {**EXAMPLES, "train": examples_named(*train)}
    with pytest.raises(UserError, match=message):
        read_member_predictions(*files, examples=now, expressions=EXPRESSIONS)


@pytest.mark.parametrize("others", [("neutral", "happy", "sad"), ("happy", "neutral")])
def test_predictions_of_other_classes_or_another_order_are_refused(
    tmp_path: Path, others: tuple[str, ...]
) -> None:
    files = write_predictions(tmp_path, EXAMPLES)
    with pytest.raises(
        UserError, match=rf"of happy, neutral, sad; expected {', '.join(others)}, in this order"
    ):
        read_member_predictions(*files, examples=EXAMPLES, expressions=others)


def test_missing_predictions_are_named(tmp_path: Path) -> None:
    table, model_file = write_predictions(tmp_path, EXAMPLES)
    table.unlink()
    with pytest.raises(UserError, match=r"resnet50\.parquet is missing: `dvc repro` makes it"):
        read_member_predictions(table, model_file, examples=EXAMPLES, expressions=EXPRESSIONS)
