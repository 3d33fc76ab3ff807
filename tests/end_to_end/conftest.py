"""One small workspace in which the whole line has run; each test gets a copy of its own."""

import shutil
from pathlib import Path

import pytest

from fer_data.synthetic.drawn_archive import write_sample
from fer_models.networks.registry import ZOO
from flows.workspace.client import commit
from flows.workspace.create import make_workspace
from tests.support.flows.typed_commands import MODELS, NUM_FOLDS, keep_few_plots, ok, repro

NUM_FACES = 480
TINY = {
    "pipeline": {
        "folds": list(range(NUM_FOLDS)),
        "models": {name: None for name in ZOO if name not in MODELS},
    },
    "split": {"num_folds": NUM_FOLDS},
    "crossval": {"filters": [4, 8], "epochs": 2, "batch_size": 32},
    "review_queue": {"budget": 40},
    "models": {
        "scratch": {"filters": [4, 8, 8], "dense_units": 16, "epochs": 2},
        "compact": {"filters": [4, 8, 8], "epochs": 2},
    },
    "ensemble": {"epochs": 2, "members": list(MODELS)},
    "report": {"models": [*MODELS, "ensemble"]},
    "evaluate": {"bootstrap_resamples": 100},
}


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace after its first `dvc repro`, committed. Not to be changed: see `workspace`."""
    folder = tmp_path_factory.mktemp("finished") / "workspace"
    archive = folder.parent / "archive.zip"
    write_sample(archive, num_faces=NUM_FACES)
    make_workspace(folder, archive=archive, overrides=TINY)
    keep_few_plots(folder)
    # One cache for all copies, and links into it: the models are large.
    ok(folder, "dvc", "config", "--local", "cache.dir", str(folder.parent / "cache"))
    ok(folder, "dvc", "config", "--local", "cache.type", "symlink")
    assert repro(folder)[0] == "ingest"
    commit(folder, "First run")
    return folder


@pytest.fixture
def workspace(finished: Path, tmp_path: Path) -> Path:
    """A copy of the finished workspace, to change at will."""
    folder = tmp_path / "workspace"
    shutil.copytree(finished, folder, symlinks=True)
    return folder
