"""`ferflow upgrade` on the settings of version 0.1.0."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from fer_data.core.errors import UserError
from fer_data.stages.all_settings import all_sections, check_settings
from fer_data.stages.settings import SettingsError, read_settings
from flows.commands.upgrade import BACKUP, upgrade

ROOT = Path(__file__).parents[3]
EARLIER = ROOT / "tests/fixtures/format_1/params.yaml"
SHARED = {"training", "fine_tuning"}
"""Sections that may be divided otherwise, as long as what is merged from them is equal."""


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """The settings of then, with the graph of today."""
    shutil.copyfile(EARLIER, tmp_path / "params.yaml")
    shutil.copyfile(ROOT / "dvc.yaml", tmp_path / "dvc.yaml")
    return tmp_path


def settings_in(folder: Path) -> dict[str, Any]:
    """All settings, merged, as JSON holds them; those of a model of today alone are left out."""
    return {
        section: json.loads(
            read_settings(settings_class, section, file=folder / "params.yaml").model_dump_json()
        )
        for section, settings_class in all_sections().items()
        if section not in (*SHARED, "models.tiny")
    }


def edit(workspace: Path, old: str, new: str) -> None:
    file = workspace / "params.yaml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_the_upgraded_settings_are_those_of_today(workspace: Path) -> None:
    with pytest.raises(SettingsError, match=r"'relabel' is 'review_app' now; .* `ferflow upgrade`"):
        check_settings(workspace)
    changes = upgrade(workspace)
    assert "'training.resume' is 'checkpoints.resume' now" in changes
    entry = (
        "    compact: {module: compact, defaults: training, settings: models.compact, "
        "starts_from: data/weights/compact}\n"
    )
    assert entry in (workspace / "params.yaml").read_text()
    upgraded = (workspace / "params.yaml").read_text()
    assert "\n  test_fraction: 0.2 " in upgraded
    assert "\n  audit_faces: 200 " in upgraded
    check_settings(workspace)
    today = settings_in(ROOT)
    # What came later, and need not be there.
    today["report"]["peer"] = None
    today["report"]["models"].remove("tiny")
    del today["pipeline"]["models"]["tiny"]
    # Defaults that grew since: a workspace keeps the limits that it has.
    today["ingest"] |= {"max_total_bytes": 2_000_000_000, "max_members": 1_000_000}
    # So with recipes.
    today["crossval"] |= {"epochs": 18, "label_smoothing": 0.1, "mixup_alpha": 0.0}
    today["crossval"] |= {"weight_decay": 0.02}
    today["crossval"] |= {"small_faces": {"size": 32, "epochs": 12}, "mixed_precision": "auto"}
    today["models.compact"] |= {"filters": [32, 64, 128, 256], "optimizer": "adam"}
    today["models.compact"] |= {"weight_decay": 0.02, "learning_rate": 0.003}
    today["models.compact"] |= {"label_smoothing": 0.1, "mixup_alpha": 0.0}
    today["models.compact"]["augmentation"]["contrast_fraction"] = 0.0
    today["report"]["seed_spread"]["compact"] = {"accuracy": 0.005, "degrees_of_freedom": 2}
    assert settings_in(workspace) == today


def test_upgrading_twice_changes_nothing(workspace: Path) -> None:
    upgrade(workspace)
    once = (workspace / "params.yaml").read_bytes()
    assert upgrade(workspace) == []
    assert (workspace / "params.yaml").read_bytes() == once
    assert (workspace / BACKUP).read_bytes() == EARLIER.read_bytes()


def test_settings_of_today_stay_as_they_are(tmp_path: Path) -> None:
    shutil.copyfile(ROOT / "params.yaml", tmp_path / "params.yaml")
    assert upgrade(tmp_path) == []
    assert (tmp_path / "params.yaml").read_bytes() == (ROOT / "params.yaml").read_bytes()
    assert not (tmp_path / BACKUP).exists()


def test_a_backup_is_never_replaced(workspace: Path) -> None:
    (workspace / BACKUP).write_text("mine")
    with pytest.raises(UserError, match="is of an earlier upgrade: move it away"):
        upgrade(workspace)
    assert (workspace / "params.yaml").read_bytes() == EARLIER.read_bytes()


def test_comments_on_settings_that_stay_are_kept(workspace: Path) -> None:
    upgrade(workspace)
    text = (workspace / "params.yaml").read_text()
    # Those of a setting that models share stand once; one on values that changed would mislead.
    gone = {"or best", "or last", "or categorical_crossentropy, the same, which can be smoothed"}
    gone |= {"they add next to nothing: see docs/data-quality.md", "or to batches, or to copies"}
    gone |= {"pixels", "radians", "size of the faces in pixels, and for how many epochs"}
    for comment in set(re.findall(r"# (.+)$", EARLIER.read_text(), re.M)) - gone:
        assert f"# {comment}" in text, comment


def test_what_a_person_changed_stays_changed(workspace: Path) -> None:
    edit(workspace, "    learning_rate: 0.0001\n", "    learning_rate: 0.0005\n")
    edit(workspace, "mirror: true, rotation_degrees: 20.0", "mirror: false, rotation_degrees: 25.0")
    edit(workspace, "    mixed_precision: bfloat16\n", "    mixed_precision: off\n")
    edit(workspace, "  twin_reliability: 0.7\n", "  twin_reliability: 0.8\n")
    upgrade(workspace)
    found = settings_in(workspace)
    assert found["models.mobilenetv2"]["learning_rate"] == 0.0005
    moves = found["models.inceptionv3"]["augmentation"]
    assert (moves["horizontal_flip"], moves["rotation_degrees"]) == (False, 25.0)
    assert found["models.resnet50"]["augmentation"]["horizontal_flip"]
    assert found["models.compact"]["mixed_precision"] == "off"
    assert found["mislabels"]["duplicate_reliability"] == 0.8


@pytest.mark.parametrize(
    ("old", "fraction", "copies"),
    [("never", 0.0, False), ("batches", 0.3, False), ("copies", 0.3, True)],
)
def test_salt_and_pepper_is_a_fraction_that_is_0_where_it_was_never_applied(
    workspace: Path, old: str, fraction: float, copies: bool
) -> None:
    edit(workspace, "apply: never} # or", f"apply: {old}}} # or")
    with pytest.raises(
        SettingsError, match=r"salt_and_pepper\.apply' is '.*\.salt_and_pepper_copies"
    ):
        check_settings(workspace)
    upgrade(workspace)
    found = settings_in(workspace)
    noise = found["models.scratch"]["augmentation"]
    assert (noise["salt_and_pepper_fraction"], noise["salt_and_pepper_copies"]) == (
        fraction,
        copies,
    )
    assert found["models.compact"]["augmentation"]["salt_and_pepper_fraction"] == 0


def test_a_part_of_salt_and_pepper_is_read_over_its_defaults(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(
        "training:\n  salt_and_pepper: {fraction: 0.3, apply: never}\n"
        "models:\n  scratch:\n    salt_and_pepper: {apply: copies}\n    seed: 1 # a seed\n"
        "  compact:\n    salt_and_pepper: {fraction: 0.4}\n    augmentation: {zoom_fraction: 0.1}\n"
    )
    upgrade(tmp_path)
    assert (tmp_path / "params.yaml").read_text() == (
        "training:\n"
        "  augmentation: {salt_and_pepper_fraction: 0.0, salt_and_pepper_copies: false}\n"
        "models:\n  scratch:\n"
        "    augmentation: {salt_and_pepper_fraction: 0.3, salt_and_pepper_copies: true}\n"
        "    seed: 1 # a seed\n"
        "  compact:\n    augmentation: {zoom_fraction: 0.1, salt_and_pepper_fraction: 0.0, "
        "salt_and_pepper_copies: false}\n"
    )


def test_the_fold_recipe_changes_its_units_and_keeps_what_a_person_chose(workspace: Path) -> None:
    edit(workspace, "phases: [[32, 12], [48, 6]]", "phases: [[48, 7]]")
    edit(workspace, "  shift: 3.0 # pixels\n", "  shift: 6 # pixels\n  warmup_fraction: 0.1\n")
    edit(workspace, "  rotation: 0.17 # radians\n", "  rotation: 0.0\n")
    upgrade(workspace)
    found = settings_in(workspace)["crossval"]
    assert (found["epochs"], found["small_faces"]["epochs"]) == (7, 0)
    assert (found["schedule"], found["patience"], found["residual"]) == ("cosine", None, False)
    assert found["augmentation"]["horizontal_flip"]
    assert found["augmentation"]["translation_fraction"] == 0.125
    assert found["augmentation"]["rotation_degrees"] == 0


def test_a_fold_recipe_without_its_phases_is_rewritten_too(workspace: Path) -> None:
    edit(
        workspace,
        "  phases: [[32, 12], [48, 6]] # size of the faces in pixels, and for how many",
        "# ",
    )
    upgrade(workspace)
    text = (workspace / "params.yaml").read_text()
    assert "{translation_fraction: 0.0625, rotation_degrees: 9.74, zoom_fraction: 0.1}" in text


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[[32, 12], [48, 6]]", "[[24, 2], [32, 2], [48, 2]]", "which has no equal now: "),
        ("[[32, 12], [48, 6]]", "[[48, 2], [32, 2]]", "which has no equal now: "),
        ("[[32, 12], [48, 6]]", "12", r"phases: 12', .*crossval\.small_faces' now; set that by"),
        ("shift: 3.0", "shift: few", r"crossval\.shift: few', which has no equal now: .* by hand$"),
        ("zoom: 0.1", "zoom: 0.1\n  epochs: 3", r"'crossval\.epochs: 18' now, and that with"),
    ],
)
def test_a_fold_recipe_that_has_no_equal_is_refused_and_stays(
    workspace: Path, old: str, new: str, message: str
) -> None:
    edit(workspace, old, new)
    with pytest.raises(UserError, match=message):
        upgrade(workspace)
    assert not (workspace / BACKUP).exists()


def test_an_old_name_beside_the_new_one_is_refused(workspace: Path) -> None:
    edit(
        workspace,
        "  twin_reliability: 0.7\n",
        "  twin_reliability: 0.7\n  duplicate_reliability: 0.6\n",
    )
    with pytest.raises(UserError, match=r"'mislabels\.twin_reliability' and .* another value"):
        upgrade(workspace)
    assert not (workspace / BACKUP).exists()


def test_the_section_retention_is_added(workspace: Path) -> None:
    assert "the section 'retention' is new: what `ferflow clean` keeps" in upgrade(workspace)
    _, comment, section = (
        (workspace / "params.yaml").read_text().rpartition("\n\n# See docs/guide/operating.md.\n")
    )
    assert comment
    assert section.startswith("retention:\n  keep_days: 60\n  clean_after_flow: false\n")
