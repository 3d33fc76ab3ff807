from pathlib import Path

import pytest
import yaml
from dvc.exceptions import DvcException
from dvc.utils.hydra import apply_overrides as dvc_overrides

from fer_data.core.errors import UserError
from fer_data.stages.all_settings import check_settings
from fer_data.stages.input_changes import stage_inputs
from fer_data.stages.settings import read_params, read_settings
from fer_models.core.training_settings import TrainingSettings
from fer_models.networks.registry import ZOO
from flows.workspace.overrides import apply_overrides, check_overrides, read_preset

PARAMS = """\
# Settings.
a:
  b: [1, 2] # a list
  c: 1_000
d: text
e: null # nothing
"""
ROOT = Path(__file__).parents[3]


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    (tmp_path / "params.yaml").write_text(PARAMS)
    return tmp_path


def test_settings_change_and_comments_stay(workspace: Path) -> None:
    changes = apply_overrides({"a": {"b": [3, 4]}, "d": "word"}, folder=workspace)
    assert changes == ["a.b: [1, 2] -> [3, 4]", "d: text -> word"]
    expected = PARAMS.replace("[1, 2]", "[3, 4]").replace("text", "word")
    assert (workspace / "params.yaml").read_text() == expected


def test_a_list_may_become_empty_and_full_again(workspace: Path) -> None:
    for file in (
        PARAMS,
        PARAMS.replace(" [1, 2]", "").replace("# a list", "# a list\n  - 1\n  - 2"),
    ):
        (workspace / "params.yaml").write_text(file)
        for values in ([], [3, 4], []):
            apply_overrides({"a": {"b": values}}, folder=workspace)
            assert read_params(workspace / "params.yaml")["a"] == {"b": values, "c": 1_000}
            assert ("# a list" in (workspace / "params.yaml").read_text()) == (file == PARAMS)


def test_laying_over_twice_changes_nothing(workspace: Path) -> None:
    apply_overrides({"a": {"c": 5}}, folder=workspace)
    assert apply_overrides({"a": {"c": 5}}, folder=workspace) == []


def test_a_misspelt_key_is_named_and_nothing_changes(workspace: Path) -> None:
    with pytest.raises(
        UserError, match=r"the overrides set 'a\.z', which params\.yaml does not have"
    ):
        apply_overrides({"d": "word", "a": {"z": 1}}, folder=workspace)
    assert (workspace / "params.yaml").read_text() == PARAMS


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"a": 5}, r"set 'a' to 5, but that is a section of params\.yaml: .* such as 'a\.b'"),
        ({"a": None}, "set 'a' to None, but that is a section"),
        ({"d": {"e": 5}}, r"set 'd\.e', but 'd' is no section of params\.yaml: it is 'text'"),
        ({"a": {"c": {"x": 1}}}, r"set 'a\.c\.x', but 'a\.c' is no section"),
    ],
)
def test_sections_and_values_are_not_taken_for_each_other(
    workspace: Path, overrides: dict, message: str
) -> None:
    for refuse in (apply_overrides, check_overrides):
        with pytest.raises(UserError, match=message):
            refuse(overrides, folder=workspace)
    assert (workspace / "params.yaml").read_text() == PARAMS


def test_a_preset_in_the_folder_of_earlier_versions_is_to_be_moved(tmp_path: Path) -> None:
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles/mine.yaml").write_text("split: {seed: 1}")
    with pytest.raises(UserError, match=r"profiles/mine\.yaml is where .* move it to .*presets$"):
        read_preset("mine", folder=tmp_path)


@pytest.fixture
def committed(tmp_path: Path) -> Path:
    """The committed settings, in a workspace of their own."""
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    return tmp_path


def settings_of(name: str, folder: Path) -> TrainingSettings:
    return read_settings(ZOO[name].settings_class, f"models.{name}", file=folder / "params.yaml")


def test_a_key_that_only_the_defaults_have_is_added_to_its_section(committed: Path) -> None:
    overrides = {"seed": 7, "augmentation": {"salt_and_pepper_fraction": 0.1}}
    changes = apply_overrides({"models": {"compact": overrides}}, folder=committed)
    assert changes == [
        "models.compact.seed: 0 -> 7",
        "models.compact.augmentation.salt_and_pepper_fraction: 0.0 -> 0.1",
    ]
    found = settings_of("compact", committed)
    assert (found.seed, found.augmentation.salt_and_pepper_fraction) == (7, 0.1)
    assert found.augmentation.rotation_degrees == 12.0, "the section's other departures stay"
    assert settings_of("scratch", committed).seed == 0
    lines = (committed / "params.yaml").read_text().splitlines()
    at = lines.index("    seed: 7")
    assert lines[at - 1].startswith("    "), "not below the empty line at the section's end"
    assert lines[at + 1].startswith("    ")


def test_what_the_defaults_say_already_is_no_change(committed: Path) -> None:
    before = (committed / "params.yaml").read_text()
    overrides = {"models": {"resnet50": {"epochs": 10, "augmentation": {"contrast_fraction": 0.0}}}}
    assert apply_overrides(overrides, folder=committed) == []
    assert (committed / "params.yaml").read_text() == before


@pytest.mark.parametrize(
    ("overrides", "key"),
    [
        ({"models": {"scratch": {"weights": "none"}}}, r"models\.scratch\.weights"),
        ({"models": {"scratch": {"augmentation": {"tilt": 1}}}}, r"augmentation\.tilt"),
        ({"fine_tuning": {"epohcs": 1}}, r"fine_tuning\.epohcs"),
        ({"models": {"vgg": {"epochs": 1}}}, r"models\.vgg"),
    ],
)
def test_a_key_that_no_default_has_is_refused(committed: Path, overrides: dict, key: str) -> None:
    with pytest.raises(UserError, match=rf"set '.*{key}', which params\.yaml does not have"):
        apply_overrides(overrides, folder=committed)


def test_null_removes_a_model_from_those_to_train_and_no_other_setting(committed: Path) -> None:
    overrides = {
        "pipeline": {"models": {"resnet50": None}},
        "training": {"patience": None},
        "models": {"resnet50": {"patience": None}},
    }
    assert "pipeline.models.resnet50: removed" in apply_overrides(overrides, folder=committed)
    params = read_params(committed / "params.yaml")
    assert list(params["pipeline"]["models"]) == [
        *("scratch", "mobilenetv2", "inceptionv3", "compact", "tiny"),
    ]
    assert params["models"]["resnet50"]["patience"] is None


REPEAT = {
    **{"module": "compact", "defaults": "training", "settings": "models.compact"},
    "starts_from": "data/weights/compact",
}


def test_a_whole_entry_adds_a_model_that_the_graph_trains(committed: Path) -> None:
    (committed / "dvc.yaml").write_bytes((ROOT / "dvc.yaml").read_bytes())
    overrides = {
        "pipeline": {"models": {"compact_1": REPEAT}},
        "ensemble": {"members": ["compact", "compact_1"]},
    }
    assert "pipeline.models.compact_1: added" in apply_overrides(overrides, folder=committed)
    assert apply_overrides(overrides, folder=committed) == []
    check_settings(committed)
    for name in ("train", "member_predictions"):
        assert stage_inputs(f"{name}@compact_1", folder=committed) is not None
    of_repeat, of_original = (
        stage_inputs(f"train@{name}", folder=committed) for name in ("compact_1", "compact")
    )
    assert of_repeat == of_original, "the same settings and code"


@pytest.mark.parametrize("entry", [{"module": "compact"}, {**REPEAT, "seed": 1}, "compact"])
def test_a_part_of_an_entry_adds_none(committed: Path, entry: object) -> None:
    with pytest.raises(
        UserError, match=r"set 'pipeline\.models\.compact_1', which params\.yaml does"
    ):
        apply_overrides({"pipeline": {"models": {"compact_1": entry}}}, folder=committed)


def test_an_override_by_an_old_name_is_told_the_new_one(committed: Path) -> None:
    overrides = {"models": {"scratch": {"keep_epoch": "best"}}}
    with pytest.raises(UserError, match=r"is 'models\.scratch\.restore_best_weights' now$"):
        apply_overrides(overrides, folder=committed)


@pytest.mark.parametrize("word", ["models.scratch.batch_size=64", "+models.scratch.batch_size=64"])
def test_dvc_adds_a_key_of_the_defaults_with_a_plus_alone(committed: Path, word: str) -> None:
    file = committed / "params.yaml"
    if not word.startswith("+"):
        with pytest.raises(DvcException, match="Invalid `--set-param` value"):
            dvc_overrides(file, [word])
        return
    dvc_overrides(file, [word])
    assert [settings_of(name, committed).batch_size for name in ("scratch", "resnet50")] == [64, 32]
    dvc_overrides(file, ["models.scratch.batch_size=16", "training.batch_size=8"])
    assert [settings_of(name, committed).batch_size for name in ("scratch", "resnet50")] == [16, 8]


def test_an_unknown_preset_names_those_that_there_are() -> None:
    with pytest.raises(UserError, match=r"no preset 'dmeo': expected one of .*demo"):
        read_preset("dmeo", folder=ROOT)


@pytest.mark.parametrize("name", sorted(file.stem for file in (ROOT / "presets").glob("*.yaml")))
def test_the_committed_presets_fit_the_committed_settings(name: str, committed: Path) -> None:
    assert apply_overrides(read_preset(name, folder=ROOT), folder=committed)
    before = yaml.safe_load((ROOT / "params.yaml").read_text())
    assert list(yaml.safe_load((committed / "params.yaml").read_text())) == list(before)
    check_settings(committed, complete=False)
