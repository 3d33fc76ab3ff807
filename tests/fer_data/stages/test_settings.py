import re
from pathlib import Path
from typing import Literal

import pytest
from pydantic import Field

from fer_data.stages.settings import (
    DataSettings,
    Seed,
    Settings,
    SettingsError,
    read_params,
    read_settings,
)


class Oven(Settings):
    degrees: float = Field(ge=0, le=300)
    trays: tuple[int, ...]
    fan: bool


GOOD = "kitchen:\n  oven: {degrees: 180, trays: [1, 3], fan: true}\n"


def write(folder: Path, text: str) -> Path:
    file = folder / "params.yaml"
    file.write_text(text)
    return file


def test_reads_a_nested_section(tmp_path: Path) -> None:
    settings = read_settings(Oven, "kitchen.oven", file=write(tmp_path, GOOD))
    assert settings == Oven(degrees=180.0, trays=(1, 3), fan=True)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("degrees", "degres", "'kitchen.oven.degres' is not a setting: misspelt?"),
        ("degrees: 180, ", "", "'kitchen.oven.degrees' is missing"),
        ("180", "'180'", "'kitchen.oven.degrees': got '180': input should be a valid number"),
        (
            "180",
            "301",
            "'kitchen.oven.degrees': got 301: input should be less than or equal to 300",
        ),
        ("true", "1", "'kitchen.oven.fan': got 1: input should be a valid boolean"),
        ("[1, 3]", "[1, 3.5]", "'kitchen.oven.trays.1': got 3.5: input should be a valid integer"),
    ],
)
def test_names_the_key_that_is_wrong(tmp_path: Path, old: str, new: str, message: str) -> None:
    file = write(tmp_path, GOOD.replace(old, new))
    with pytest.raises(SettingsError, match=re.escape(message)):
        read_settings(Oven, "kitchen.oven", file=file)


def test_names_all_the_keys_that_are_wrong(tmp_path: Path) -> None:
    file = write(tmp_path, "kitchen:\n  oven: {degrees: -1, trays: 2, fan: true}\n")
    with pytest.raises(SettingsError, match=r"degrees.*; .*trays"):
        read_settings(Oven, "kitchen.oven", file=file)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kitchen: {}", "has no section 'kitchen.oven'"),
        ("kitchen: 3", "has no section 'kitchen.oven'"),
        ("- a\n", "holds list, expected sections with keys"),
        ("a: [", "is not YAML"),
    ],
)
def test_says_what_is_wrong_with_the_file(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        read_settings(Oven, "kitchen.oven", file=write(tmp_path, text))


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"no .*params\.yaml in .*: not a Ferflow workspace"):
        read_params(tmp_path / "params.yaml")


def test_settings_are_frozen() -> None:
    settings = DataSettings(expressions=("happy", "sad"))
    with pytest.raises(ValueError, match="frozen"):
        settings.expressions = ("sad",)  # pyright: ignore[reportAttributeAccessIssue] # the point


@pytest.mark.parametrize("expressions", [("happy",), ("happy", "happy"), ("Happy", "sad")])
def test_expressions_are_at_least_two_distinct_lower_case_names(expressions: tuple) -> None:
    with pytest.raises(ValueError, match="expressions"):
        DataSettings(expressions=expressions)


@pytest.mark.parametrize("name", ["keep", "drop", "undo"])
def test_a_word_for_a_decision_is_no_expression(tmp_path: Path, name: str) -> None:
    file = tmp_path / "params.yaml"
    file.write_text(f"data: {{expressions: [happy, {name}]}}\n")
    message = (
        f"'data.expressions': got .*: value error, '{name}' is what people decide about a face"
    )
    with pytest.raises(SettingsError, match=message) as raised:
        read_settings(DataSettings, "data", file=file)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("module", "settings_class", "section"),
    [
        ("fer_data.stages.settings", "DataSettings", "data"),
        ("fer_data.ingestion.ingest", "IngestSettings", "ingest"),
        ("fer_data.validation.validate", "ValidateSettings", "validate"),
        ("fer_data.splitting.split", "SplitSettings", "split"),
        ("fer_models.cross_validation.crossval", "CrossvalSettings", "crossval"),
        ("fer_data.label_quality.mislabels", "MislabelsSettings", "mislabels"),
        ("fer_data.review_queue.review_queue", "ReviewQueueSettings", "review_queue"),
        ("fer_data.quality_report.quality_report", "QualityReportSettings", "quality_report"),
        ("fer_data.curation.rebalance", "RebalanceSettings", "rebalance"),
        ("fer_data.curation.tfrecords", "TfrecordsSettings", "tfrecords"),
        ("fer_models.networks.scratch", "ModelSettings", "models.scratch"),
        ("fer_models.networks.fine_tuning", "ModelSettings", "models.resnet50"),
        ("fer_models.networks.fine_tuning", "ModelSettings", "models.mobilenetv2"),
        ("fer_models.networks.fine_tuning", "ModelSettings", "models.inceptionv3"),
        ("fer_models.evaluation.evaluate", "EvaluateSettings", "evaluate"),
        ("fer_models.reporting.report", "ReportSettings", "report"),
        ("flows.execution.flow_settings", "FlowSettings", "flows"),
        ("flows.publishing.publish", "PublishSettings", "publish"),
    ],
)
def test_the_committed_settings_are_valid(module: str, settings_class: str, section: str) -> None:
    file = Path(__file__).parents[3] / "params.yaml"
    loaded = __import__(module, fromlist=[settings_class])
    assert read_settings(getattr(loaded, settings_class), section, file=file)


class Training(Settings):
    xla: Literal["auto", "on", "off"]
    deterministic: bool
    learning_rate: float
    oven: Oven | None = None


@pytest.mark.parametrize(
    ("text", "xla", "deterministic"),
    [("off", "off", False), ("on", "on", True), ("no", "off", False), ("true", "on", True)],
)
def test_switches_and_floats_are_taken_as_meant(
    tmp_path: Path, text: str, xla: str, deterministic: bool
) -> None:
    lines = f"a: {{xla: {text}, deterministic: {text}, learning_rate: 1e-3}}"
    settings = read_settings(Training, "a", file=write(tmp_path, lines))
    assert (settings.xla, settings.deterministic) == (xla, deterministic)
    assert settings.learning_rate == 0.001


def test_what_is_no_switch_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path, "a: {xla: 1, deterministic: maybe, learning_rate: 1}")
    with pytest.raises(SettingsError, match=r"'a\.xla': got 1: .*'a\.deterministic': got 'maybe'"):
        read_settings(Training, "a", file=file)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a: gr\xfcn\n".encode("cp1252"), r"is not UTF-8 \(line 1\): save it in UTF-8"),
        ("a: 1\n".encode("utf-16"), "looks like UTF-16: save it in UTF-8"),
        (b"a: 1\nb: 2\na: 3\n", r'line 3: found duplicate key "a": keep one of them'),
        (b"a:\n  b: 1\n  b: 2\n", r'line 3: found duplicate key "b"'),
        (b"a: 1\n<<<<<<< HEAD\nb: 1\n=======\n", "line 2: git left a conflict there"),
        (b"a: !!int x\n", "is not YAML"),
        (b"", "holds NoneType, expected sections"),
    ],
)
def test_a_file_that_is_not_read_as_meant_is_refused(
    tmp_path: Path, content: bytes, message: str
) -> None:
    file = tmp_path / "params.yaml"
    file.write_bytes(content)
    with pytest.raises(SettingsError, match=message):
        read_params(file)


def test_utf_8_with_a_mark_is_read(tmp_path: Path) -> None:
    file = tmp_path / "params.yaml"
    file.write_bytes("a: gr\xfcn\n".encode("utf-8-sig"))
    assert read_params(file) == {"a": "gr\xfcn"}


class Random(Settings):
    seed: Seed


def test_a_seed_of_more_than_32_bits_is_one_line(tmp_path: Path) -> None:
    file = write(tmp_path, "a: {seed: 4_294_967_296}")
    with pytest.raises(SettingsError, match=r"'a\.seed': got 4294967296: input should be less"):
        read_settings(Random, "a", file=file)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "a: {}\nmodels: {one: {keep_epoch: best}}",
            "'models.one.keep_epoch' is 'models.one.restore",
        ),
        ("a: {}\nensemble: {loss: sparse}", "'ensemble.loss' is no setting any more: both names"),
        (
            "a: {}\ntraining: {augmentation: {mirror: true}}",
            "'training.augmentation.mirror' is 'training.augmentation.horizontal_flip' now",
        ),
        ("relabel: {show_suggestion: false}", "'relabel' is 'review_app' now"),
        ("a: {}\nmislabels: {budget: 3}", "'mislabels.budget' is 'review_queue.budget' now"),
        ("a: {}\ntraining: {resume: exact}", "'training.resume' is 'checkpoints.resume' now"),
    ],
)
def test_an_old_name_fails_with_the_new_one_on_one_line(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(SettingsError, match=re.escape(message)) as raised:
        read_settings(Random, "a", file=write(tmp_path, text))
    assert str(raised.value).endswith(": `ferflow upgrade` rewrites the file")
    assert "\n" not in str(raised.value)


def test_old_names_elsewhere_do_not_keep_a_right_section_from_being_read(tmp_path: Path) -> None:
    file = write(tmp_path, "a: {seed: 3}\nrelabel: {show_suggestion: false}")
    assert read_settings(Random, "a", file=file).seed == 3
