"""Each planted error is caught by its expectation, and missed when that is taken out of the suite."""

from pathlib import Path

import pandas as pd
import pytest
import yaml

from fer_data.ingestion.ingest import take_faces
from fer_data.ingestion.zip_archive import Limits
from fer_data.synthetic.drawn_archive import write_sample
from fer_data.synthetic.planted_errors import ERROR
from fer_data.validation.baseline import baseline_of
from fer_data.validation.expectations import Thresholds, build_suite, name_of
from fer_data.validation.validate import run_suite
from flows.commands.demo import CATCHERS, REFUSED

PARAMS = yaml.safe_load((Path(__file__).parents[3] / "params.yaml").read_text())
EXPRESSIONS = tuple(PARAMS["data"]["expressions"])
THRESHOLDS = Thresholds(**PARAMS["validate"])
SUITE = build_suite(THRESHOLDS, expressions=EXPRESSIONS)
LIMITS = Limits(10**6, 10**9, 200, 10**5)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[pd.DataFrame, set[str], pd.DataFrame]:
    """The manifest of a drawn archive, the members that were refused, and what was planted."""
    archive = tmp_path_factory.mktemp("drawn") / "archive.zip"
    planted = write_sample(archive, num_faces=900)
    intake = take_faces(archive, expressions=EXPRESSIONS, limits=LIMITS, resize=False)
    return intake.manifest, set(intake.rejected["path"]), planted


def caught(manifest: pd.DataFrame, expectation: str, *, suite: list) -> set[str]:
    result = run_suite(manifest, suite)
    assert result["success"]
    return {
        path
        for one in result["expectations"]
        if one["name"] == expectation
        for path in one["paths"]
    }


@pytest.mark.parametrize("error", CATCHERS)
def test_an_expectation_turns_its_error_from_missed_to_caught(drawn, error: str) -> None:
    manifest, _, planted = drawn
    paths = set(planted.loc[planted[ERROR] == error, "path"])
    assert len(paths) >= 3
    expectation = CATCHERS[error]
    assert paths <= caught(manifest, expectation, suite=SUITE)
    rest = [one for one in SUITE if name_of(one) != expectation]
    assert not paths & caught(manifest, expectation, suite=rest)


def test_unreadable_members_are_refused_and_nothing_else(drawn) -> None:
    _, refused, planted = drawn
    assert refused == set(planted.loc[planted[ERROR].isin(REFUSED), "path"])
    assert len(refused) == 2


@pytest.mark.parametrize(
    ("change", "expectation"),
    [
        (lambda rows: rows.drop(rows[rows["label"] == "fear"].index[::3]), "count_change"),
        (lambda rows: rows.assign(mean=rows["mean"] + 20), "brightness_change"),
        (lambda rows: rows.assign(std=rows["std"] + 8), "contrast_change"),
    ],
)
def test_a_next_archive_that_differs_is_caught_where_a_baseline_was_accepted(
    drawn, change, expectation: str
) -> None:
    manifest, _, _ = drawn
    baseline = baseline_of(manifest, by="ann", at="2026-01-31T10:00:00Z")
    suite = build_suite(THRESHOLDS, expressions=EXPRESSIONS, baseline=baseline)

    def fails(faces: pd.DataFrame) -> bool:
        outcomes = run_suite(faces, suite, baseline=baseline)["expectations"]
        return expectation in {one["name"] for one in outcomes if not one["success"]}

    assert not fails(manifest)
    assert fails(change(manifest))
