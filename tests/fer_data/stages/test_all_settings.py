import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from fer_data.stages.all_settings import all_sections, check_settings
from fer_data.stages.settings import SettingsError

ROOT = Path(__file__).parents[3]


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """The committed settings and graph."""
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copyfile(ROOT / name, tmp_path / name)
    return tmp_path


def edit(workspace: Path, old: str, new: str) -> None:
    file = workspace / "params.yaml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_the_committed_settings_are_valid(workspace: Path) -> None:
    check_settings(workspace)


def test_every_section_of_the_file_is_checked() -> None:
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    names = {*values, *(f"models.{name}" for name in values["models"])} - {"models"}
    assert set(all_sections()) == names


def test_the_check_loads_neither_tensorflow_nor_pandas() -> None:
    code = (
        "import sys; from fer_data.stages.all_settings import check_settings; check_settings(); "
        "print({'tensorflow', 'keras', 'pandas', 'numpy', 'prefect'} & set(sys.modules))"
    )
    words = [sys.executable, "-c", code]
    assert subprocess.check_output(words, cwd=ROOT, text=True).strip() == "set()"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "bootstrap_resamples: 1000",
            "bootstrap_resamples: 50",
            r"'evaluate\.bootstrap_resamples'",
        ),
        ("max_pairs: 60", "max_pears: 60", r"'quality_report\.max_pears' is not a setting"),
        ("webhook: null", "webhook: nowhere", r"'publish\.webhook': got what may be a secret"),
        ("\nevaluate:\n", "\nevaluation:\n", "has no section 'evaluate'"),
        ("num_folds: 5", "num_folds: 4", r"'split\.num_folds': got 4, but 'pipeline\.folds'"),
        ("[resnet50, mob", "[resnet, mob", r"'ensemble\.members': got resnet, expected some of"),
        ("models: [scratch", "models: [mine", r"'report\.models': got mine, expected some of"),
        (
            "starts_from: models/compact",
            "starts_from: models/nope",
            r"'pipeline\.models\.tiny\.starts_from': got models/nope, expected a folder of weights",
        ),
        (
            "starts_from: models/compact",
            "starts_from: models/tiny",
            r"'pipeline\.models\.tiny\.starts_from': got models/tiny, which waits for tiny itself",
        ),
        (
            "starts_from: data/weights/compact",
            "starts_from: models/tiny",
            r"compact\.starts_from': got models/tiny, which waits for compact.*tiny\.starts_from'",
        ),
        ("starts_from: models/compact", "starts_from: ''", r"tiny\.starts_from': got ''"),
        (
            "settings: models.tiny",
            "settings: models.compact",
            r"'pipeline\.models\.tiny\.settings': got models\.compact, expected models\.tiny",
        ),
    ],
)
def test_an_error_of_any_section_is_found_at_once(
    workspace: Path, old: str, new: str, message: str
) -> None:
    edit(workspace, old, new)
    with pytest.raises(SettingsError, match=message):
        check_settings(workspace)


def test_all_errors_are_in_one_message(workspace: Path) -> None:
    edit(workspace, "bootstrap_resamples: 1000", "bootstrap_resamples: 50")
    edit(workspace, "faces_per_shard: 8000", "faces_per_shard: 1")
    with pytest.raises(SettingsError, match=r"evaluate.*tfrecords|tfrecords.*evaluate"):
        check_settings(workspace)


def test_the_first_stage_to_run_finds_an_error_of_the_last(workspace: Path) -> None:
    edit(workspace, "bootstrap_resamples: 1000", "bootstrap_resamples: 50")
    raw = ["--raw", "raw", "--manifest", "m", "--pixels", "p", "--rejected", "r"]
    finished = subprocess.run(
        [sys.executable, "-m", "fer_data.ingestion.ingest", *raw],
        cwd=workspace,
        env={**os.environ, "PYTHONPATH": str(ROOT), "DVC_STAGE": "ingest"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 1
    assert finished.stderr.startswith("error: params.yaml: 'evaluate.bootstrap_resamples': got 50")


def test_a_command_finds_it_too(workspace: Path) -> None:
    edit(workspace, "bootstrap_resamples: 1000", "bootstrap_resamples: 50")
    code = "import sys; from flows.cli.main import main; sys.argv[0] = 'ferflow'; main()"
    finished = subprocess.run(
        [sys.executable, "-c", code, "add", "archive.zip"],
        cwd=workspace,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 1
    assert "'evaluate.bootstrap_resamples': got 50" in finished.stderr


@pytest.mark.parametrize("graph", ["", "stages: 3", "stages: {ingest: 3}", "- a"])
def test_a_graph_without_stages_is_left_to_who_reads_it(workspace: Path, graph: str) -> None:
    (workspace / "dvc.yaml").write_text(graph)
    check_settings(workspace)


def test_old_names_are_told_before_all_else_that_they_lead_to(workspace: Path) -> None:
    edit(workspace, "restore_best_weights: true", "keep_epoch: best")
    edit(workspace, "bootstrap_resamples: 1000", "bootstrap_resamples: 50")
    with pytest.raises(
        SettingsError, match=r"^\S+: 'fine_tuning\.keep_epoch' is 'fine_tuning\.rest.* now: `"
    ):
        check_settings(workspace)
