import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from fer_data.core.errors import UserError
from fer_data.core.schema import TESTING, TRAINING
from fer_data.core.tables import read_table, write_table
from fer_data.splitting.leaks import check_excluded, excluded_by_class, leaks_of
from tests.support.data.manifests import manifest_of, noise_faces


def test_a_leak_is_what_the_other_folder_holds_of_a_face() -> None:
    groups = np.array([0, 1, 2, 3, 4, 0, 5, 3])
    testing = np.array([False, False, False, False, False, True, True, True])
    pairs = np.array([[1, 6], [1, 2], [3, 6], [4, 2]])
    leaks = leaks_of(groups, pairs, testing)
    near = "near-duplicate"
    assert list(leaks) == ["duplicate", near, "", "duplicate", "", "duplicate", near, "duplicate"]


def test_pairs_within_a_folder_are_no_leaks() -> None:
    leaks = leaks_of(np.arange(4), np.array([[0, 1], [2, 3]]), np.array([False, False, True, True]))
    assert list(leaks) == [""] * 4


@pytest.fixture
def faces() -> pd.DataFrame:
    """Forty Training faces of two classes, three of them excluded, and one of Testing."""
    original_splits = [TRAINING] * 40 + [TESTING]
    labels = ["happy", "sad"] * 20 + ["sad"]
    why = ["near-duplicate in Testing", "duplicate in Testing", "near-duplicate in Testing"]
    return pd.DataFrame(
        {"original_split": original_splits, "label": labels, "exclusion": why + [""] * 38}
    )


def test_exclusions_are_counted_by_class_and_reason(faces: pd.DataFrame) -> None:
    counts = excluded_by_class(faces, faces)
    assert counts.to_dict("index") == {
        "happy": {
            "faces": 20,
            "duplicate in Testing": 0,
            "near-duplicate in Testing": 2,
            "near_fraction": 0.1,
        },
        "sad": {
            "faces": 20,
            "duplicate in Testing": 1,
            "near-duplicate in Testing": 0,
            "near_fraction": 0.0,
        },
    }


def test_past_the_limit_the_class_the_count_and_the_setting_are_named(faces: pd.DataFrame) -> None:
    counts = excluded_by_class(faces, faces)
    check_excluded(counts, max_fraction=0.1)
    with pytest.raises(
        UserError, match=r"2 of 20 of 'happy' \(10.0%\), .*`split.max_excluded_fraction` \(0.09\)"
    ) as error:
        check_excluded(counts, max_fraction=0.09)
    assert "sad" not in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("allowed", [True, False])
def test_the_stage_prints_the_counts_and_stops_before_it_writes(
    tmp_path: Path, allowed: bool
) -> None:
    # 60 Training faces of each class and 10 of Testing; four of Testing mirror a happy face.
    faces = noise_faces(140)
    faces[120:124] = faces[:4, :, ::-1]
    original_splits = [TRAINING] * 120 + [TESTING] * 20
    manifest = manifest_of(
        faces, original_splits, (["happy"] * 60 + ["sad"] * 60 + ["happy", "sad"] * 10)
    )
    write_table(manifest, tmp_path / "manifest.parquet")
    np.save(tmp_path / "pixels.npy", faces)
    settings = yaml.safe_load(Path("params.yaml").read_text())["split"]
    settings["max_excluded_fraction"] = 0.07 if allowed else 0.05
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"split": settings}))
    flags = ["--manifest", "manifest.parquet", "--pixels", "pixels.npy"]
    finished = subprocess.run(
        [
            sys.executable,
            "-m",
            "fer_data.splitting.split",
            *flags,
            "--assignments",
            "assignments.parquet",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    said = finished.stdout + finished.stderr
    assert "near-duplicate in Testing" in said
    file = tmp_path / "assignments.parquet"
    assert finished.returncode == (0 if allowed else 1), said
    assert file.exists() == allowed
    if allowed:
        rows = read_table(file)
        assert list(rows.index[rows["exclusion"] == "near-duplicate in Testing"]) == [0, 1, 2, 3]
        assert list(rows.index[rows["leak"] != ""]) == [0, 1, 2, 3, 120, 121, 122, 123]
    else:
        assert finished.stderr.splitlines()[-1].startswith("error: near-duplicates of Testing")
        assert "4 of 60 of 'happy' (6.7%)" in said
