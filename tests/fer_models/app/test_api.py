import base64
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fer_data.core.errors import UserError
from fer_data.web.html import face_uri
from fer_models.app.api import MOST_FACES, Service
from fer_models.detection.face_detector import Face, FaceFinder
from fer_models.inference.model_store import open_model_store
from tests.support.models.images import background, encoded
from tests.support.models.tiny_dataset import EXPRESSIONS, banded_faces
from tests.support.models.trained_workspace import MEASURED, make_models

FACES, _ = banded_faces(40, seed=2)
URIS = [face_uri(face) for face in FACES]


class Finder(FaceFinder):
    """Finds so many faces, the last ones the surest, whatever the image."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    def find(self, image: np.ndarray, *, smallest_face: float = 0.0) -> list[Face]:
        assert (image.shape, smallest_face) == ((480, 720, 3), 0)
        return [
            Face((number, 2, 30, 40), None, FACES[number], confidence=0.9 + number / 1000)
            for number in range(self.number)
        ]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_models(tmp_path_factory.mktemp("service") / "workspace", "scratch")


def service_of(workspace: Path, *, number: int = 2) -> Service:
    return Service(open_model_store(workspace=workspace), Finder(number))


def test_models_are_listed_with_what_they_lack(workspace: Path) -> None:
    listed = service_of(workspace).models()
    assert tuple(model["name"] for model in listed) == MEASURED
    scratch, resnet50, *_ = listed
    assert scratch == {"name": "scratch", "title": "Tiny scratch", "error": None}
    assert resnet50["title"] == "resnet50"
    assert "`dvc repro evaluate@resnet50` trains" in resnet50["error"]


def test_the_best_model_comes_first(workspace: Path, tmp_path: Path) -> None:
    assert service_of(workspace).first() == "scratch"
    copy = shutil.copytree(workspace, tmp_path / "copy")
    for kind in ("models", "reports/evaluate", "reports/train"):
        shutil.copytree(copy / kind / "scratch", copy / kind / "ensemble")
    file = copy / "reports/evaluate/ensemble/metrics.json"
    metrics = json.loads(file.read_text())
    metrics["validation"]["accuracy"]["value"] = 0.8
    file.write_text(json.dumps(metrics))
    assert service_of(copy).first() == "ensemble"
    for name in ("scratch", "ensemble"):
        shutil.rmtree(copy / "models" / name)
    assert service_of(copy).first() == "scratch"


def test_an_image_s_faces_come_with_their_pixels_and_readings(workspace: Path) -> None:
    answer = service_of(workspace).read(encoded(background()), "scratch")
    assert (answer["width"], answer["height"], answer["num_found"]) == (720, 480, 2)
    expected = open_model_store(workspace=workspace).load("scratch").predict(FACES[:2])
    assert expected.sets is not None
    for number, face in enumerate(answer["faces"]):
        assert face["box"] == [number, 2, 30, 40]
        assert face["pixels"] == URIS[number]
        assert list(face["probabilities"]) == list(EXPRESSIONS)
        np.testing.assert_allclose(
            list(face["probabilities"].values()), expected.probabilities[number], atol=1e-6
        )
        held = {name for name, held in zip(EXPRESSIONS, expected.sets[number], strict=True) if held}
        assert set(face["set"]) == held
        ordered = [face["probabilities"][name] for name in face["set"]]
        assert ordered == sorted(ordered, reverse=True)
        best = max(face["probabilities"].values())
        assert face["words"].startswith(f"{face['set'][0]} {100 * best:.0f} %")


def test_of_too_many_faces_the_surest_are_read(workspace: Path) -> None:
    found = service_of(workspace, number=35).find(encoded(background()))
    assert found["num_found"] == 35
    assert [face["box"][0] for face in found["faces"]] == list(range(5, 35))


def test_without_a_face_nothing_is_read_unless_the_whole_image_is_to_be(workspace: Path) -> None:
    service = service_of(workspace, number=0)
    assert service.read(encoded(background()), "scratch")["faces"] == []
    found = service.find(encoded(background()), whole=True)
    assert [face["box"] for face in found["faces"]] == [[120, 0, 480, 480]]


def test_a_heat_map_lies_over_the_face(workspace: Path) -> None:
    service = service_of(workspace)
    seen = service.heat_map(URIS[0], "scratch")
    best = service.ask(URIS[:1], "scratch")[0]["set"][0]
    assert seen["expression"] == best
    data = base64.b64decode(seen["image"].partition(",")[2])
    with Image.open(io.BytesIO(data)) as layer:
        assert (layer.mode, layer.size) == ("RGBA", (48, 48))
        opacity = np.asarray(layer.getchannel("A"))
    assert opacity.min() < opacity.max() == 191


def test_a_model_without_maps_shows_none(workspace: Path, monkeypatch) -> None:
    monkeypatch.setattr("fer_models.app.api.heat_map", lambda *_: None)
    assert service_of(workspace).heat_map(URIS[0], "scratch")["image"] is None


def uri_of(image: Image.Image) -> str:
    return "data:image/png;base64," + base64.b64encode(encoded(image)).decode()


@pytest.mark.parametrize(
    "face",
    [
        "/etc/hostname",
        "data:image/png;base64,%%%",
        "data:image/png;base64,aGVsbG8=",
        uri_of(Image.new("L", (47, 48))),
        uri_of(Image.new("RGB", (48, 48))),
        uri_of(Image.effect_noise((500, 500), 90)),
        URIS[0][:-900],
        uri_of(Image.new("1", (20_000, 20_000)))[:4022],
    ],
)
def test_what_is_no_face_is_refused(workspace: Path, face: str) -> None:
    with pytest.raises(UserError, match="got what is no face: expected the `pixels` that `find`"):
        service_of(workspace).ask([face], "scratch")


def test_too_many_faces_at_once_are_refused(workspace: Path) -> None:
    with pytest.raises(UserError, match="got 31 faces, expected at most 30 at once"):
        service_of(workspace).ask(URIS[: MOST_FACES + 1], "scratch")


def test_over_the_api_a_path_is_no_model(workspace: Path) -> None:
    path = str(workspace / "models/scratch/model.keras")
    with pytest.raises(UserError, match=r"no model '.*model\.keras': expected one of scratch, res"):
        service_of(workspace).ask(URIS[:1], path)


def test_no_face_is_no_answer(workspace: Path) -> None:
    assert service_of(workspace).ask([], "scratch") == []
