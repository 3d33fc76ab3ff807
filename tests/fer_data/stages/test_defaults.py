"""Sections that name only what departs from `training` and `fine_tuning`."""

import json
import re
from pathlib import Path
from typing import ClassVar

import pytest

from fer_data.stages.defaults import merged, stands_in
from fer_data.stages.input_changes import stage_inputs
from fer_data.stages.settings import Settings, SettingsError, read_params, read_settings
from fer_models.cross_validation.crossval_settings import CrossvalSettings
from fer_models.networks.registry import ZOO

ROOT = Path(__file__).parents[3]


class Moves(Settings):
    degrees: float
    flip: bool


class Recipe(Settings):
    DEFAULTS: ClassVar[tuple[str, ...]] = ("training", "tuning")

    epochs: int
    sizes: tuple[int, ...]
    moves: Moves


PARAMS = {
    "training": {"epochs": 30, "sizes": [1, 2], "moves": {"degrees": 0.0, "flip": False}},
    "tuning": {"epochs": 10, "moves": {"flip": True}},
    "models": {"one": {"moves": {"degrees": 5.0}}, "other": {"epochs": 3, "sizes": [4]}},
}


def read(folder: Path, section: str, **changes: object) -> Recipe:
    file = folder / "params.yaml"
    file.write_text(json.dumps({**PARAMS, **changes}))
    return read_settings(Recipe, section, file=file)


def test_a_section_goes_over_its_defaults_key_by_key(tmp_path: Path) -> None:
    one = read(tmp_path, "models.one")
    assert one == Recipe(epochs=10, sizes=(1, 2), moves=Moves(degrees=5.0, flip=True))
    other = read(tmp_path, "models.other")
    assert other == Recipe(epochs=3, sizes=(4,), moves=Moves(degrees=0.0, flip=True))
    assert read(tmp_path, "tuning").epochs == 10
    assert PARAMS["tuning"] == {"epochs": 10, "moves": {"flip": True}}, "merging changes nothing"


def test_sections_of_defaults_need_not_be_there(tmp_path: Path) -> None:
    whole = PARAMS["training"]
    found = read(tmp_path, "models.one", training=None, tuning={}, models={"one": whole})
    assert found.epochs == 30


@pytest.mark.parametrize(
    ("section", "values", "message"),
    [
        ("models", {"one": {"epohcs": 3}}, "'models.one.epohcs' is not a setting: misspelt?"),
        ("tuning", {"moves": {"flop": True}}, "'tuning.moves.flop' is not a setting: misspelt?"),
        ("tuning", {"epochs": "many"}, "'tuning.epochs': got 'many'"),
        (
            "training",
            {**PARAMS["training"], "sizes": [1, "two"]},
            "'training.sizes.1': got 'two'",
        ),
        ("training", {"epochs": 30}, "'models.one.sizes' is missing"),
        ("models", {"one": 3}, "'models.one': got 3"),
        ("models", {"one": None}, "has no section 'models.one'"),
    ],
)
def test_what_is_wrong_is_named_where_it_stands(
    tmp_path: Path, section: str, values: dict, message: str
) -> None:
    with pytest.raises(SettingsError, match=re.escape(message)):
        read(tmp_path, "models.one", **{section: values})


def test_what_is_no_section_is_returned_as_it_is() -> None:
    assert merged({"a": 3}, "a", defaults=("b",)) == 3
    assert stands_in({"a": {}, "b": {"c": {}}}, "c.d", "a", defaults=("b",)) == "a"


TRAININGS = {
    "crossval@0": ("crossval", CrossvalSettings.DEFAULTS),
    **{f"train@{name}": (f"models.{name}", ZOO[name].settings_class.DEFAULTS) for name in ZOO},
}
"""The section of each stage that trains, and its defaults."""


@pytest.mark.parametrize("stage", TRAININGS)
def test_a_training_depends_on_the_sections_that_its_settings_are_merged_from(stage: str) -> None:
    inputs = stage_inputs(stage, folder=ROOT)
    assert inputs is not None
    section, defaults = TRAININGS[stage]
    assert set(inputs[1]) - {"data"} == {*defaults, section}


@pytest.mark.parametrize("stage", TRAININGS)
def test_no_training_repeats_a_default(stage: str) -> None:
    params = read_params(ROOT / "params.yaml")
    section, defaults = TRAININGS[stage]
    below: dict[str, object] = {}
    for name in defaults:
        below |= params[name]
    departures = merged(params, section, defaults=())
    repeated = {key for key, value in departures.items() if below.get(key, ...) == value}
    assert not repeated
