"""The suite of expectations on small manifests, and what fails in it."""

import pandas as pd

from fer_data.validation.baseline import Baseline
from fer_data.validation.expectations import build_suite, name_of
from fer_data.validation.validate import run_suite
from tests.support.data.manifests import EXPRESSIONS, THRESHOLDS

SUITE = build_suite(THRESHOLDS, expressions=EXPRESSIONS)


def failures(
    manifest: pd.DataFrame, *, without: str = "", baseline: Baseline | None = None
) -> dict[str, dict]:
    suite = build_suite(THRESHOLDS, expressions=EXPRESSIONS, baseline=baseline)
    rest = [expectation for expectation in suite if name_of(expectation) != without]
    result = run_suite(manifest, rest, baseline=baseline)
    return {one["name"]: one for one in result["expectations"] if not one["success"]}
