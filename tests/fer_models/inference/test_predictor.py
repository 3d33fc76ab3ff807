"""`fer_models.Predictor`: photos as people have them, and what comes of each."""

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

import fer_models
from fer_models import FacePrediction, Predictor, UserError
from fer_models.inference.bundle import pack
from fer_models.inference.sources import Workspace
from tests.support.models.scenes import drawn_face, empty_scene, scene
from tests.support.models.tiny_dataset import EXPRESSIONS
from tests.support.models.trained_workspace import make_models
from tests.support.servers.processes import ROOT

PHOTO = scene((30, 60, 100), (180, 20, 120))


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_models(tmp_path_factory.mktemp("predictor") / "workspace", "scratch")
    Image.fromarray(PHOTO).save(folder / "photo.png")
    return folder


@pytest.fixture(scope="module")
def predictor(workspace: Path) -> Predictor:
    return Predictor(workspace=workspace)


def boxes(faces: list[FacePrediction]) -> list[tuple[int, int, int, int]]:
    return [face.box for face in faces]


def test_a_photo_s_faces_come_typed_and_ranked(workspace: Path, predictor: Predictor) -> None:
    assert (predictor.model, predictor.expressions) == ("scratch", EXPRESSIONS)
    first, second = predictor.predict(workspace / "photo.png")
    assert first.box[0] + first.box[2] < second.box[0] + second.box[2]
    for face in (first, second):
        assert face.model == "scratch"
        assert 0.7 <= face.confidence <= 1
        assert set(face.probabilities) == set(EXPRESSIONS)
        assert sum(face.probabilities.values()) == pytest.approx(1, abs=1e-5)
        values = list(face.probabilities.values())
        assert values == sorted(values, reverse=True)
        assert face.expression == face.prediction_set[0] == next(iter(face.probabilities))
        with pytest.raises(TypeError):
            face.probabilities["sad"] = 1  # type: ignore[index]


def test_every_form_of_an_image_gives_the_same(workspace: Path, predictor: Predictor) -> None:
    file = workspace / "photo.png"
    expected = predictor.predict(str(file))
    gray = PHOTO[..., 0]
    images = [file, file.read_bytes(), Image.open(file), Image.fromarray(PHOTO), PHOTO, gray]
    for image in [*images, gray[..., np.newaxis], Image.fromarray(gray)]:
        assert predictor.predict(image) == expected


def test_an_image_of_pillow_is_set_upright_and_left_as_it_is(predictor: Predictor) -> None:
    turned = Image.fromarray(PHOTO).transpose(Image.Transpose.ROTATE_90)
    turned.getexif()[ExifTags.Base.Orientation] = 6
    before = turned.tobytes()
    assert boxes(predictor.predict(turned)) == boxes(predictor.predict(PHOTO))
    assert turned.tobytes() == before
    assert turned.getexif()[ExifTags.Base.Orientation] == 6


def test_an_image_without_a_face_is_empty_or_taken_whole(predictor: Predictor) -> None:
    assert predictor.predict(empty_scene()) == []
    (face,) = predictor.predict(empty_scene(), whole=True)
    assert (face.box, face.confidence) == ((40, 0, 240, 240), 0.0)
    (crop,) = predictor.predict(drawn_face())
    assert (crop.box, crop.confidence) == ((0, 0, 48, 48), 1.0)


def test_a_bundle_and_a_file_are_models_too(workspace: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "one.zip"
    pack(Workspace(workspace), ["scratch"], bundle, revision=None)
    assert Predictor(bundle).predict(PHOTO) == Predictor(workspace=workspace).predict(PHOTO)
    file = str(workspace / "models/scratch/model.keras")
    (face, _) = Predictor(file, workspace=workspace).predict(PHOTO)
    assert (face.model, face.prediction_set) == (file, ())


def test_a_file_that_names_its_classes_needs_no_workspace(
    workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert Predictor(workspace / "models/scratch/model.keras").expressions == EXPRESSIONS


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ("absent.png", r"^absent\.png: No such file or directory$"),
        (b"text", r"^the image is not an image: expected JPEG"),
        (b"", r"^the image is empty"),
        (PHOTO / 255, r"^an array of float64 \(240, 320, 3\) is no image: expected uint8 \(H, W\)"),
        (PHOTO[..., :2], r"^an array of uint8 \(240, 320, 2\) is no image"),
        (PHOTO[np.newaxis], r"^an array of uint8 \(1, 240, 320, 3\) is no image"),
        (PHOTO[:0], r"^an array of \(0, 320, 3\) has no pixel"),
        (np.zeros((8_000, 8_000), np.uint8), r"^the array is huge: expected at most 50 million"),
    ],
)
def test_what_is_no_image_is_one_line(predictor: Predictor, image, message: str) -> None:
    with pytest.raises(UserError, match=message) as error:
        predictor.predict(image)
    assert "\n" not in str(error.value)


def test_a_closed_image_of_pillow_is_one_line(workspace: Path, predictor: Predictor) -> None:
    with Image.open(workspace / "photo.png") as image:
        pass
    with pytest.raises(UserError, match=r"^the image is damaged, or its file is closed"):
        predictor.predict(image)
    cut = Image.open(io.BytesIO((workspace / "photo.png").read_bytes()[:500]))
    with pytest.raises(UserError, match=r"^the image is damaged"):
        predictor.predict(cut)


@pytest.mark.parametrize("model", ["nobody", "resnet50", "absent.zip", "absent.keras"])
def test_a_model_that_is_not_there_is_one_line(workspace: Path, model: str) -> None:
    with pytest.raises(UserError) as error:
        Predictor(model, workspace=workspace)
    assert "\n" not in str(error.value)


def test_the_package_alone_is_light() -> None:
    code = (
        "import sys, fer_models; heavy = {'keras', 'tensorflow', 'pandas', 'PIL'} & set(sys.modules);"
        "assert not heavy, heavy; assert 'Predictor' in fer_models.__all__"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
    with pytest.raises(AttributeError, match="no attribute 'Predicator'"):
        fer_models.Predicator  # type: ignore[attr-defined] # noqa: B018
