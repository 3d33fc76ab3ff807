import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import fer_data
from fer_data.core.errors import UserError
from fer_data.stages import input_changes
from fer_data.stages.input_changes import check_inputs, stage_inputs, watched
from fer_data.stages.stage import run

GRAPH = """
stages:
  bake:
    foreach: {bread: {module: oven}, cake: {module: form}}
    do:
      cmd: python -m baker.${item.module}
      deps: [flour.csv, store, "${item.module}.py", "recipes/${key}"]
      params: [oven, "cakes.${key}"]
  slice:
    matrix: {part: [0, 1]}
    cmd: knife ${item.part}
    deps: ["part-${item.part}"]
"""
PARAMS = "oven: {degrees: 180}\ncakes:\n  bread: {l2: 1}\n  cake: {l2: 2}\nshop: {open: 8}\n"
Edit = Callable[[], object]


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A workspace in which DVC runs a stage in this process."""
    (tmp_path / "dvc.yaml").write_text(GRAPH)
    (tmp_path / "params.yaml").write_text(PARAMS)
    (tmp_path / "flour.csv").write_text("a,b\n1,2\n")
    for name in ("oven.py", "form.py"):
        (tmp_path / name).write_text("x = 1\n")
        os.utime(tmp_path / name, (1, 1))
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "large").write_bytes(bytes(input_changes._ALWAYS_READ_BYTES + 1))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_STAGE", "bake@cake")
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield tmp_path
    root.handlers[:], root.level = handlers, level


def append(path: str) -> Edit:
    file = Path(path)
    return lambda: file.write_text((file.read_text() if file.exists() else "") + "3,4\n")


def replace(old: str, new: str, path: str = "params.yaml") -> Edit:
    return lambda: Path(path).write_text(Path(path).read_text().replace(old, new))


def run_with(edit: Edit) -> None:
    """Runs a stage that does nothing, while somebody edits."""

    def main() -> None:
        edit()

    run(main)


def overwrite_large() -> None:
    """Same size, other content."""
    with Path("store/large").open("r+b") as file:
        file.write(b"1")


@pytest.mark.parametrize(
    ("edit", "named"),
    [
        (append("flour.csv"), "flour.csv"),
        (lambda: Path("flour.csv").unlink(), "flour.csv"),
        (append("store/new"), "store"),
        (overwrite_large, "store"),
        (lambda: shutil.rmtree("store"), "store"),
        (append("form.py"), "form.py"),
        (replace("180", "200"), "params.yaml: oven"),
        (replace("{l2: 2}", "{l2: 3}"), "params.yaml: cakes.cake"),
        (lambda: Path("params.yaml").write_text("oven: ["), "params.yaml: oven"),
    ],
)
def test_an_edit_meanwhile_fails_the_stage_in_one_line(edit: Edit, named: str) -> None:
    with pytest.raises(SystemExit) as ended:
        run_with(edit)
    assert str(ended.value).startswith(f"error: {named}")
    assert str(ended.value).endswith(
        "changed while 'bake@cake' ran: nothing was recorded; run it again"
    )


def rewrite() -> None:
    """The same content anew, as editors and `git checkout` do."""
    for path in ("flour.csv", "store/large", "params.yaml", "form.py"):
        content = Path(path).read_bytes()
        Path(path).unlink()
        Path(path).write_bytes(content)


@pytest.mark.parametrize(
    "edit",
    [
        rewrite,
        lambda: [os.utime(path) for path in ("flour.csv", "store/large", "params.yaml")],
        append("oven.py"),  # of the other item
        replace("open: 8", "open: 9"),
        replace("{l2: 1}", "{l2: 7}"),
        replace("oven: {degrees: 180}", "# warm\noven:\n  degrees: 180"),
        append("recipes"),
    ],
)
def test_what_changes_nothing_that_is_read_does_not(edit: Edit) -> None:
    run_with(edit)


def test_an_edit_that_breaks_the_run_is_an_edit_and_not_an_error() -> None:
    def main() -> None:
        append("flour.csv")()
        raise UserError("flour.csv, line 3: half a line")

    with pytest.raises(SystemExit, match=r"^error: flour\.csv changed while"):
        run(main)


def test_an_error_without_an_edit_stays_what_it_is() -> None:
    def main() -> None:
        raise UserError("no oven")

    with pytest.raises(SystemExit, match=r"^error: no oven$"):
        run(main)


def test_long_work_can_ask_meanwhile() -> None:
    after = []

    def main() -> None:
        check_inputs()
        append("flour.csv")()
        check_inputs()
        after.append("more work")

    with pytest.raises(SystemExit, match=r"flour\.csv changed"):
        run(main)
    assert after == []


def test_code_that_was_edited_while_it_was_imported_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fer_data, "IMPORTED_AT", time.time_ns() - 10**10)
    os.utime("form.py", (time.time() - 5, time.time() - 5))
    with pytest.raises(SystemExit, match=r"form\.py changed while"):
        run(lambda: None)
    os.utime("form.py", (time.time() + 500, time.time() + 500))  # another machine's clock
    run(lambda: None)


@pytest.mark.parametrize("name", [None, "", "nap"])
def test_a_module_run_by_hand_is_not_watched(
    monkeypatch: pytest.MonkeyPatch, name: str | None
) -> None:
    monkeypatch.delenv("DVC_STAGE")
    if name is not None:
        monkeypatch.setenv("DVC_STAGE", name)
    run_with(append("flour.csv"))


def test_outside_of_a_workspace_nothing_is_watched(workspace: Path) -> None:
    (workspace / "dvc.yaml").unlink()
    run_with(append("flour.csv"))


def test_dvc_names_a_stage_of_another_folder_by_its_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_STAGE", "../line/dvc.yaml:bake@cake")
    with pytest.raises(UserError, match=r"flour\.csv changed while 'bake@cake'"), watched():
        append("flour.csv")()


def test_the_inputs_of_one_of_several_stages(workspace: Path) -> None:
    assert stage_inputs("bake@bread", folder=workspace) == (
        ["flour.csv", "store", "oven.py", "recipes/bread"],
        ["oven", "cakes.bread"],
    )
    assert stage_inputs("slice@1", folder=workspace) == (["part-1"], [])


def test_the_inputs_of_our_own_graph_are_files_of_ours() -> None:
    root = Path(__file__).parents[3]
    for stage in (
        "ingest",
        "crossval@3",
        "train@resnet50",
        "member_predictions@resnet50",
        "evaluate@ensemble",
    ):
        found = stage_inputs(stage, folder=root)
        assert found is not None
        deps, params = found
        assert not [text for text in deps + params if "$" in text]
        assert all((root / dep).is_file() for dep in deps if dep.endswith(".py"))
