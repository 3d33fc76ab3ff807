import hashlib
from pathlib import Path

import numpy as np
import pytest

from fer_data.core import tfrecord
from fer_data.core.tables import probabilities_of, read_table
from fer_models.core.prediction import read_model
from tests.support.models.ensemble_members import predict_member, write_members
from tests.support.models.tiny_dataset import EXPRESSIONS, write_tiny_records


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("member_predictions")
    write_tiny_records(folder / "records")
    write_members(folder / "models", "resnet50")
    write_members(folder / "models", "mobilenetv2", expressions=("happy", "sad", "neutral"))
    finished = predict_member(folder, "resnet50")
    assert finished.returncode == 0, finished.stderr
    return folder


def test_a_table_holds_what_the_member_says_of_train_and_validation(folder: Path) -> None:
    table = read_table(folder / "member_predictions/resnet50.parquet", expressions=EXPRESSIONS)
    assert list(table.columns) == ["split", "path", "probabilities", "model_hash"]
    assert list(table["split"].unique()) == ["train", "validation"]
    file = folder / "models/resnet50/model.keras"
    assert set(table["model_hash"]) == {hashlib.sha256(file.read_bytes()).hexdigest()}
    for split, rows in table.groupby("split"):
        examples = tfrecord.read_split(folder / "records", str(split))
        assert list(rows["path"]) == examples.paths
        expected = read_model(file, expressions=EXPRESSIONS).predict(examples.faces, verbose=0)
        np.testing.assert_allclose(probabilities_of(rows), expected, rtol=1e-4, atol=1e-6)
        assert 0.5 < (expected.argmax(axis=1) == examples.labels).mean() < 1


def test_a_second_run_gives_the_same_bytes(folder: Path) -> None:
    file = folder / "member_predictions/resnet50.parquet"
    first = file.read_bytes()
    assert predict_member(folder, "resnet50").returncode == 0
    assert file.read_bytes() == first


@pytest.mark.parametrize(
    ("name", "line"),
    [
        (
            "inceptionv3",
            "error: models/inceptionv3/model.keras is missing: `dvc repro train@inceptionv3` makes it, "
            "`dvc pull` fetches it",
        ),
        (
            "mobilenetv2",
            "error: models/mobilenetv2/model.keras tells happy, sad, neutral apart, in this order; "
            "expected happy, neutral, sad: put `data.expressions` of params.yaml back as they were, or "
            "`dvc repro` retrains it",
        ),
    ],
)
def test_a_member_that_cannot_serve_is_one_line_and_leaves_nothing(
    folder: Path, name: str, line: str
) -> None:
    finished = predict_member(folder, name)
    assert finished.returncode == 1
    assert finished.stderr.splitlines()[-1] == line
    assert "Traceback" not in finished.stderr
    assert [file.name for file in (folder / "member_predictions").iterdir()] == ["resnet50.parquet"]
