"""Runs the expectation suite over the manifest: a verdict that gates what follows, and Data Docs."""

import json
import logging
import re
from collections.abc import Sequence
from copy import copy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import great_expectations as gx
import pandas as pd
from great_expectations.core import ExpectationValidationResult
from great_expectations.data_context import AbstractDataContext
from great_expectations.data_context.types.base import ProgressBarsConfig
from great_expectations.expectations.expectation import Expectation

from fer_data import stage
from fer_data.expectations import CRITICAL, Thresholds, build_suite, name_of
from fer_data.facts import with_facts
from fer_data.params import DataSettings, read_settings
from fer_data.profile import ArchiveProfile, read_profile
from fer_data.schema import PATH
from fer_data.tables import read_table
from fer_data.validate_settings import ValidateSettings

logger = logging.getLogger(__name__)

_SITE = "faces"
_NUM_ROWS_NAMED = 3

_NO_MOMENT = datetime(1970, 1, 1, tzinfo=UTC)
"""The time of every run: equal archives have equal reports."""
_TIME = r"\d{8}T\d{6}\.\d{6}Z"
_MOMENT = re.compile(rf"(\?d=|<span [^>]*>){_TIME}(?=\"|</span>)")
"""When a page was written, behind the address of a logo, and when the manifest was read."""
_LOCAL_TIME = re.compile(r"(?:1969-12-31|1970-01-01)[ T]\d\d:\d\d:\d\d(?:Z| [^'<]+)")
"""The time of the run, in the time zone of the machine."""
_RANDOM_ID = re.compile("(?<=-collapse-body-)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""Of a part of a page that opens and closes."""


def run_suite(
    manifest: pd.DataFrame,
    suite: Sequence[Expectation],
    *,
    profile: ArchiveProfile | None = None,
    data_docs: Path | None = None,
) -> dict[str, Any]:
    """Checks the manifest against the expectations.

    Args:
        manifest: N faces, see `schema.MANIFEST_COLUMNS`.
        suite: As `expectations.build_suite` gives it, or a part of it.
        profile: What the suite compares the archive with, if anything.
        data_docs: Where Great Expectations writes its own pages, if anywhere; the same for the same
            manifest, as well.

    Returns:
        The verdict: `success` (no critical expectation failed), `faces`, `profile` (`accepted_by`,
        `accepted_at` and `faces` of what it was compared with; None where nobody has accepted one, so
        that nothing is expected of its change), and for each expectation its `name`, `meaning`,
        `severity` (`error` or `warning`), `success`, the number of `unexpected` rows and their
        `paths`. The same for the same manifest.
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
    if data_docs is not None:
        _add_data_docs(context, data_docs)
    result = definition.run(
        batch_parameters={"dataframe": with_facts(manifest, profile=profile)},
        result_format={"result_format": "COMPLETE", "unexpected_index_column_names": [PATH]},
        run_id=gx.RunIdentifier("ferflow", _NO_MOMENT),
    )
    if data_docs is not None:
        # Not its default site, which would lie in a temporary folder for ever.
        context.build_data_docs(site_names=[_SITE])
        for page in data_docs.rglob("*.html"):
            page.write_bytes(_repeatable(page.read_bytes().decode()).encode())
    # Results come grouped by column; people read them in the order of the suite.
    by_name = {_name_of_result(one): one for one in result.results}
    outcomes = [_outcome(expectation, by_name[name_of(expectation)]) for expectation in suite]
    success = all(one["success"] or one["severity"] != "error" for one in outcomes)
    compared = profile and profile.model_dump(include={"accepted_by", "accepted_at", "faces"})
    return {
        "success": success,
        "faces": len(manifest),
        "profile": compared,
        "expectations": outcomes,
    }


def _name_of_result(result: ExpectationValidationResult) -> str:
    assert result.expectation_config is not None  # always set by Great Expectations
    return result.expectation_config.meta["name"]


def _outcome(expectation: Expectation, result: ExpectationValidationResult) -> dict[str, Any]:
    exception = (result.exception_info or {}).get("exception_message")
    if exception:
        raise RuntimeError(
            f"expectation '{name_of(expectation)}' could not be checked: {exception}"
        )
    rows = result.result.get("unexpected_index_list") or []
    return {
        "name": name_of(expectation),
        "meaning": expectation.description,
        "severity": "error" if expectation.severity == CRITICAL else "warning",
        "success": bool(result.success),
        "unexpected": int(result.result.get("unexpected_count", 0)),
        "paths": [row[PATH] for row in rows],
    }


def _add_data_docs(context: AbstractDataContext, folder: Path) -> None:
    context.add_data_docs_site(
        site_name=_SITE,
        site_config={
            "class_name": "SiteBuilder",
            "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
            "store_backend": {
                "class_name": "TupleFilesystemStoreBackend",
                "base_directory": str(folder.absolute()),
            },
        },
    )


def _repeatable(page: str) -> str:
    """A page of Data Docs without what differs each time: times of writing, zones, random names."""
    numbers: dict[str, int] = {}
    page = _LOCAL_TIME.sub(f"{_NO_MOMENT:%Y-%m-%dT%H:%M:%SZ}", page)
    page = _MOMENT.sub(rf"\g<1>{_NO_MOMENT:%Y%m%dT%H%M%S.%fZ}", page)
    return _RANDOM_ID.sub(lambda found: str(numbers.setdefault(found[0], len(numbers))), page)


def _rows(outcome: dict[str, Any]) -> str:
    """How many rows an expectation refuses, and the first of them, in words."""
    count, paths = outcome["unexpected"], outcome["paths"][:_NUM_ROWS_NAMED]
    return f"{count} rows, such as {', '.join(paths)}" if paths else "no row alone"


def main() -> None:
    """Reads the manifest, writes the verdict; fails if a critical expectation does."""
    flags = stage.parse_flags(__doc__, "manifest", "profile", "report")
    settings = read_settings(ValidateSettings, "validate")
    expressions = read_settings(DataSettings, "data").expressions
    manifest, profile = read_table(flags.manifest), read_profile(flags.profile)
    suite = build_suite(
        Thresholds(**settings.model_dump()), expressions=expressions, profile=profile
    )
    with stage.written_beside(flags.report, replace_folder=True) as report:
        report.mkdir()
        verdict = run_suite(manifest, suite, profile=profile, data_docs=report / "data_docs")
        text = json.dumps(verdict, indent=2, ensure_ascii=False) + "\n"
        (report / "summary.json").write_text(text, encoding="utf-8")
    failed = [one for one in verdict["expectations"] if not one["success"]]
    for one in failed:
        logger.info("%s: not so: %s (%s)", one["severity"], one["meaning"], _rows(one))
    if not verdict["success"]:
        errors = [one for one in failed if one["severity"] == "error"]
        names = "; ".join(f"{one['name']} ({_rows(one)})" for one in errors)
        raise stage.UserError(
            f"the archive fails {names}: {flags.report / 'summary.json'} lists the rows; mend the "
            "archive, or the section 'validate' of params.yaml"
        )
    if profile is None:
        logger.info("validate: nobody has accepted a profile, so nothing is expected of its change")
    logger.info("validate: %d warnings, no errors -> %s", len(failed), flags.report)


if __name__ == "__main__":
    stage.run(main)
