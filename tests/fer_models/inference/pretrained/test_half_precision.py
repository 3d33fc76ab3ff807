import hashlib
import io
import json
import time
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from fer_data.core.errors import UserError
from fer_data.stages.settings import read_settings
from fer_models.core.class_names import expressions_in
from fer_models.core.prediction import load_model
from fer_models.core.serialization import save_model
from fer_models.inference import bundle as bundles
from fer_models.inference.bundle import pack, pack_workspace
from fer_models.inference.model_store import open_model_store
from fer_models.inference.pretrained.half_precision import difference, in_half_precision
from fer_models.inference.sources import Workspace
from fer_models.networks.registry import ZOO
from tests.support.models.ensemble_members import tiny_member
from tests.support.models.tiny_dataset import banded_faces, write_tiny_records
from tests.support.models.trained_workspace import make_models
from tests.support.servers.processes import ROOT

MOST_BYTES = 4 * 2**20
FACES = banded_faces(50, seed=3)[0][..., np.newaxis]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_models(tmp_path_factory.mktemp("half") / "workspace", "scratch")
    (folder / "data").mkdir()
    write_tiny_records(folder / "data/tfrecords")
    return folder


def halved(model: keras.Model, folder: Path) -> tuple[Path, Path]:
    """A saved model, and the file of its half."""
    saved, half = folder / "saved.keras", folder / "half.keras"
    names = tuple(f"class_{number}" for number in range(model.output_shape[-1]))
    save_model(model, saved, expressions=names)
    half.write_bytes(in_half_precision(saved, called="it"))
    return saved, half


def test_kernels_are_halved_and_the_rest_stays(tmp_path: Path) -> None:
    model = tiny_member(0)
    saved, half = halved(model, tmp_path)
    read = load_model(half)
    assert {weight.dtype for weight in read.weights} == {"float32"}
    for weight, original in zip(read.get_weights(), model.get_weights(), strict=True):
        expected = original.astype(np.float16) if original.ndim > 1 else original
        np.testing.assert_array_equal(weight, expected.astype(np.float32))
    with zipfile.ZipFile(half) as archive:
        weights = h5py.File(io.BytesIO(archive.read("model.weights.h5")))
    kinds: list[str] = []
    weights.visititems(
        lambda _, item: kinds.append(str(item.dtype)) if isinstance(item, h5py.Dataset) else None
    )
    assert sorted(kinds) == ["float16"] + ["float32"] * 5
    assert expressions_in(half) == expressions_in(saved)
    assert 0 < difference(saved, half, FACES) < 0.01


def test_equal_weights_give_equal_bytes(tmp_path: Path) -> None:
    first, second = (tmp_path / name for name in ("first", "second"))
    model = tiny_member(1)
    halves = []
    for folder in (first, second):
        halves.append(halved(model, folder)[1].read_bytes())
        time.sleep(1.1)  # HDF5 keeps times in seconds, unless it is asked not to
    assert halves[0] == halves[1]
    assert halves[0] != halved(tiny_member(2), tmp_path)[1].read_bytes()


def test_a_weight_beyond_the_range_is_one_line(tmp_path: Path) -> None:
    model = tiny_member(0)
    weights = model.get_weights()
    weights[4][0, 0] = 1e5
    model.set_weights(weights)
    with pytest.raises(UserError, match=r"^it has a weight of 1e\+05 in .*half precision ends at"):
        halved(model, tmp_path)


def test_compact_of_full_size_fits_into_four_megabytes(tmp_path: Path) -> None:
    settings = read_settings(
        ZOO["compact"].settings_class, "models.compact", file=ROOT / "params.yaml"
    )
    saved, half = halved(ZOO["compact"].build(settings, 6), tmp_path)
    assert half.stat().st_size < MOST_BYTES - 100_000  # for metrics and card
    assert half.stat().st_size < 0.51 * saved.stat().st_size
    assert difference(saved, half, FACES) < 0.02


def test_a_bundle_of_halves_says_so_in_its_card_and_predicts(
    workspace: Path, tmp_path: Path
) -> None:
    file, again = tmp_path / "half.zip", tmp_path / "again.zip"
    for target in (file, again):
        pack(Workspace(workspace), ["scratch"], target, revision="0123abc", half=True)
    assert file.read_bytes() == again.read_bytes()
    with zipfile.ZipFile(file) as archive:
        listed = json.loads(archive.read("bundle.json"))["sha256"]
        card = archive.read("models/scratch/model_card.md")
        assert {hashlib.sha256(archive.read(path)).hexdigest() for path in listed} == {
            *listed.values()
        }
    assert b"`ferflow bundle scratch --half` packed it at the commit `0123abc`" in card
    packed = open_model_store(bundle=file).load("scratch").predict(FACES[..., 0])
    direct = open_model_store(workspace=workspace).load("scratch").predict(FACES[..., 0])
    np.testing.assert_allclose(packed.probabilities, direct.probabilities, atol=0.01)
    assert (packed.probabilities != direct.probabilities).any()


def test_packing_compares_the_two_on_validation(
    workspace: Path, tmp_path: Path, monkeypatch
) -> None:
    target = tmp_path / "half.zip"
    lines = pack_workspace(workspace, ["scratch"], target, revision=None, half=True)
    assert lines[0].startswith("scratch in half precision: largest difference in probability ")
    assert lines[0].endswith(" on 30 faces of `validation`")
    assert open_model_store(bundle=target).names == ("scratch",)
    target.unlink()
    monkeypatch.setattr(bundles, "MOST_DIFFERENCE", 0.0)
    with pytest.raises(UserError, match=r"^scratch in half precision: .*, 0\.0 is allowed$"):
        pack_workspace(workspace, ["scratch"], target, revision=None, half=True)
    assert not target.exists()


def test_without_records_one_line_says_how_to_get_them(tmp_path: Path) -> None:
    folder = make_models(tmp_path / "workspace", "scratch")
    with pytest.raises(UserError, match=r"tfrecords"):
        pack_workspace(folder, ["scratch"], tmp_path / "half.zip", revision=None, half=True)
