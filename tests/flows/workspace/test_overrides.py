from pathlib import Path

import pytest
import yaml

from fer_data.core.errors import UserError
from flows.workspace.overrides import check_overlay, lay_over, read_profile

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
    changes = lay_over({"a": {"b": [3, 4]}, "d": "word"}, folder=workspace)
    assert changes == ["a.b: [1, 2] -> [3, 4]", "d: text -> word"]
    expected = PARAMS.replace("[1, 2]", "[3, 4]").replace("text", "word")
    assert (workspace / "params.yaml").read_text() == expected


def test_laying_over_twice_changes_nothing(workspace: Path) -> None:
    lay_over({"a": {"c": 5}}, folder=workspace)
    assert lay_over({"a": {"c": 5}}, folder=workspace) == []


def test_a_misspelt_key_is_named_and_nothing_changes(workspace: Path) -> None:
    with pytest.raises(
        UserError, match=r"the profile sets 'a\.z', which params\.yaml does not have"
    ):
        lay_over({"d": "word", "a": {"z": 1}}, folder=workspace)
    assert (workspace / "params.yaml").read_text() == PARAMS


@pytest.mark.parametrize(
    ("overlay", "message"),
    [
        ({"a": 5}, r"sets 'a' to 5, but that is a section of params\.yaml: .* such as 'a\.b'"),
        ({"a": None}, "sets 'a' to None, but that is a section"),
        ({"d": {"e": 5}}, r"sets 'd\.e', but 'd' is no section of params\.yaml: it is 'text'"),
        ({"a": {"c": {"x": 1}}}, r"sets 'a\.c\.x', but 'a\.c' is no section"),
    ],
)
def test_sections_and_values_are_not_taken_for_each_other(
    workspace: Path, overlay: dict, message: str
) -> None:
    for refuse in (lay_over, check_overlay):
        with pytest.raises(UserError, match=message):
            refuse(overlay, folder=workspace)
    assert (workspace / "params.yaml").read_text() == PARAMS


def test_an_unknown_profile_names_those_that_there_are() -> None:
    with pytest.raises(UserError, match=r"no profile 'dmeo': expected one of .*demo"):
        read_profile("dmeo", folder=ROOT)


@pytest.mark.parametrize("name", sorted(file.stem for file in (ROOT / "profiles").glob("*.yaml")))
def test_the_committed_profiles_fit_the_committed_settings(name: str, tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    assert lay_over(read_profile(name, folder=ROOT), folder=tmp_path)
    before = yaml.safe_load((ROOT / "params.yaml").read_text())
    assert list(yaml.safe_load((tmp_path / "params.yaml").read_text())) == list(before)
