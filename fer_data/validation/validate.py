"""Validates the manifest with the expectation suite, and stops at critical failures."""

import logging
import math
from collections.abc import Sequence
from copy import copy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import great_expectations as gx
import pandas as pd
from great_expectations.core import ExpectationSuiteValidationResult, ExpectationValidationResult
from great_expectations.data_context.types.base import ProgressBarsConfig
from great_expectations.expectations.expectation import Expectation

from fer_data.core.errors import UserError
from fer_data.core.files import atomic_write
from fer_data.core.schema import PATH
from fer_data.core.tables import read_table
from fer_data.stages import stage
from fer_data.stages.settings import DataSettings, read_settings
from fer_data.validation.baseline import Baseline, read_baseline
from fer_data.validation.derived_columns import original_splits_of, with_facts
from fer_data.validation.expectations import CRITICAL, Thresholds, build_suite, name_of
from fer_data.validation.validate_settings import ValidateSettings

logger = logging.getLogger(__name__)

RESULT_NAME = "great_expectations.json"
_NUM_ROWS_NAMED = 3
_NUM_CHARACTERS = 300  # of Great Expectations' message about a check that failed to run

_NO_MOMENT = datetime(1970, 1, 1, tzinfo=UTC)
"""The time of every run: equal archives have equal reports."""


def run_suite(
    manifest: pd.DataFrame,
    suite: Sequence[Expectation],
    *,
    baseline: Baseline | None = None,
    result_file: Path | None = None,
) -> dict[str, Any]:
    """Checks the manifest against the expectations.

    Args:
        manifest: N faces, see `schema.MANIFEST_COLUMNS`.
        suite: As `expectations.build_suite` gives it, or a part of it.
        baseline: What the suite compares the archive with, if anything.
        result_file: Where Great Expectations' own result is written, JSON with each value that is not as
            expected; the same for the same manifest, as well.

    Returns:
        The result: `success` (no critical expectation failed, and all could be checked), `faces`,
        `baseline` (`accepted_by`, `accepted_at` and `faces` of what it was compared with; None where
        there is none, so that nothing is expected of its change), and for each expectation
        its `name`, `meaning`, `severity` (`error` or `warning`), `success`, why it could not be checked
        (`error`, None where it was), the number of `rows` that were looked at (None for an expectation
        of a whole column), the value `observed` of a column (None for an expectation of rows), what is
        `missing` of an expected set, the number of `unexpected` rows, their `paths`, and their most
        frequent `values`, each with its `count`. The same for the same manifest.
    """
    context = gx.get_context(mode="ephemeral")
    asset = context.data_sources.add_pandas("faces").add_dataframe_asset("manifest")
    definition = gx.ValidationDefinition(
        name="faces",
        data=asset.add_batch_definition_whole_dataframe("all"),
        suite=context.suites.add(
            gx.ExpectationSuite("faces", expectations=[copy(one) for one in suite])
        ),
    )
    context.validation_definitions.add(definition)
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    result = definition.run(
        batch_parameters={"dataframe": with_facts(manifest, baseline=baseline)},
        result_format={"result_format": "COMPLETE", "unexpected_index_column_names": [PATH]},
        run_id=gx.RunIdentifier("ferflow", _NO_MOMENT),
    )
    # Results come grouped by column; people read them in the order of the suite.
    places = {name_of(expectation): place for place, expectation in enumerate(suite)}
    result.results.sort(key=lambda one: places[_name_of_result(one)])
    if result_file is not None:
        text = stage.json_text(_repeatable(result), of=result_file, indent=1, ensure_ascii=False)
        result_file.write_text(text, encoding="utf-8")
    outcomes = [
        _outcome(expectation, one) for expectation, one in zip(suite, result.results, strict=True)
    ]
    success = not any(_stops(one) for one in outcomes)
    compared = baseline and baseline.model_dump(include={"accepted_by", "accepted_at", "faces"})
    return {
        "success": success,
        "faces": len(manifest),
        "baseline": compared,
        "expectations": outcomes,
    }


def _name_of_result(result: ExpectationValidationResult) -> str:
    assert result.expectation_config is not None  # always set by Great Expectations
    return result.expectation_config.meta["name"]


def _outcome(expectation: Expectation, result: ExpectationValidationResult) -> dict[str, Any]:
    found = _plain(result.to_json_dict()["result"])
    error = _error(result)
    rows = found.get("unexpected_index_list") or []
    return {
        "name": name_of(expectation),
        "meaning": expectation.description,
        "severity": "error" if expectation.severity == CRITICAL else "warning",
        "success": bool(result.success) and error is None,
        "error": error,
        "rows": found.get("element_count"),
        "observed": found.get("observed_value"),
        "missing": sorted(found.get("partial_missing_list") or [], key=str),
        "unexpected": int(found.get("unexpected_count", 0)),
        "values": found.get("partial_unexpected_counts") or [],
        "paths": [row[PATH] for row in rows],
    }


def _error(result: ExpectationValidationResult) -> str | None:
    """Why an expectation could not be checked, on one line; None if it was.

    Great Expectations tells an exception of a metric below the name of that metric, one of its own at
    the top; where a column holds nothing, it says that all is as expected.
    """
    info = result.exception_info or {}
    told = [info] if "raised_exception" in info else list(info.values())
    for one in told:
        if one["raised_exception"]:
            return " ".join(str(one["exception_message"]).split())[:_NUM_CHARACTERS]
    found = result.result
    num_rows = found.get("element_count", 0)
    if num_rows and found.get("missing_count", 0) == num_rows:
        return "no row has a value"
    observed = found.get("observed_value")
    if isinstance(observed, float) and math.isnan(observed):
        return "no value was observed"
    return None


def _stops(outcome: dict[str, Any]) -> bool:
    """Whether what follows must not run."""
    return bool(outcome["error"]) or (not outcome["success"] and outcome["severity"] == "error")


def _repeatable(result: ExpectationSuiteValidationResult) -> dict[str, Any]:
    """Great Expectations' own result, without what differs each time: random names and times."""
    plain = _plain(result.to_json_dict())
    for name in ("batch_markers", "validation_id", "run_id"):  # the run's time is in the local zone
        plain["meta"].pop(name, None)
    for one in plain["results"]:
        one["expectation_config"].pop("id", None)
        for name in ("partial_missing_list", "missing_list"):  # made of a set
            if one["result"].get(name):
                one["result"][name].sort(key=str)
    return plain


def _plain(value: Any) -> Any:
    """The same with words for numbers that JSON does not know."""
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _rows(outcome: dict[str, Any]) -> str:
    """How many rows an expectation refuses, and the first of them, in words."""
    if outcome["error"]:
        return f"could not be checked: {outcome['error']}"
    if outcome["missing"]:
        return f"lacks {', '.join(map(str, outcome['missing']))}"
    count, paths = outcome["unexpected"], outcome["paths"][:_NUM_ROWS_NAMED]
    return f"{count} rows, such as {', '.join(paths)}" if paths else "no row alone"


def main() -> None:
    """Reads the manifest, writes the result; fails if a critical expectation does."""
    flags = stage.parse_flags(__doc__, "manifest", "baseline", "report")
    settings = read_settings(ValidateSettings, "validate")
    expressions = read_settings(DataSettings, "data").expressions
    manifest, baseline = read_table(flags.manifest), read_baseline(flags.baseline)
    suite = build_suite(
        Thresholds(**settings.model_dump()),
        expressions=expressions,
        baseline=baseline,
        original_splits=original_splits_of(manifest),
    )
    with atomic_write(flags.report, replace_folder=True) as report:
        report.mkdir()
        result = run_suite(manifest, suite, baseline=baseline, result_file=report / RESULT_NAME)
        text = stage.json_text(result, of=flags.report / "summary.json", ensure_ascii=False)
        (report / "summary.json").write_text(text, encoding="utf-8")
    failed = [one for one in result["expectations"] if not one["success"]]
    for one in failed:
        logger.info("%s: not so: %s (%s)", one["severity"], one["meaning"], _rows(one))
    if not result["success"]:
        errors = [one for one in failed if _stops(one)]
        names = "; ".join(f"{one['name']} ({_rows(one)})" for one in errors)
        raise UserError(
            f"the archive fails {names}: {flags.report / 'summary.json'} lists the rows; mend the "
            "archive, or the section 'validate' of params.yaml"
        )
    if baseline is None:
        logger.info("validate: no baseline is accepted, so nothing is expected of its change")
    logger.info("validate: %d warnings, no errors -> %s", len(failed), flags.report)


if __name__ == "__main__":
    stage.run(main)
