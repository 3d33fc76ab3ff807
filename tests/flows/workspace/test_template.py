import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from fer_data.core.errors import UserError
from flows.workspace import template
from flows.workspace.create import make_workspace

ROOT = Path(__file__).parents[3]
OF_THE_PROJECT = {
    *(".pre-commit-config.yaml", "ARCHITECTURE.md", "CHANGELOG.md", "CITATION.cff"),
    *("CONTRIBUTING.md", "LICENSE", "Makefile", "README.md", "constraints.txt", "pyproject.toml"),
    *("SECURITY.md", "Dockerfile", ".dockerignore"),
}


def tracked(folder: Path) -> set[str]:
    words = ["git", "ls-files"]
    listed = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=True)
    return {*listed.stdout.splitlines()}


def installed(folder: Path) -> Path:
    """The packages as a wheel installs them, without the checkout."""
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"][
        "targets"
    ]
    for package in wheel["wheel"]["packages"]:
        shutil.copytree(ROOT / package, folder / package)
    for source, target in wheel["wheel"]["force-include"].items():
        (folder / target).parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (ROOT / source).is_dir() else shutil.copyfile
        copy(ROOT / source, folder / target)
    return folder


def test_an_installed_package_makes_the_workspace_that_a_checkout_makes(
    tmp_path: Path, monkeypatch
) -> None:
    make_workspace(tmp_path / "cloned", overrides={})
    site = installed(tmp_path / "site")
    monkeypatch.setattr(template, "_packages_root", lambda: site)
    monkeypatch.setattr(template, "SKELETON", site / "flows/workspace/skeleton")
    make_workspace(tmp_path / "made", overrides={})
    cloned, made = (tracked(tmp_path / name) for name in ("cloned", "made"))
    assert made <= cloned
    # What only the project itself needs.
    folders = ("benchmarks/", "docs/", "tests/", ".ci/", ".devcontainer/", ".github/")
    left_out = {name for name in cloned - made if not name.startswith(folders)}
    assert left_out <= OF_THE_PROJECT
    for name in made:
        assert (tmp_path / "made" / name).read_bytes() == (tmp_path / "cloned" / name).read_bytes()


def test_outside_of_both_one_line_says_how_to_get_one(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(template, "_packages_root", lambda: tmp_path)
    with pytest.raises(UserError, match=r"is not a git checkout: clone the project, and run this"):
        make_workspace(tmp_path / "made", overrides={})
    assert not (tmp_path / "made").exists()
