"""Whatever is called an export of Label Studio, or our CSV, is planned or refused in one line."""

import json
import tempfile
from dataclasses import astuple
from pathlib import Path
from typing import Any

import pandas as pd
from hypothesis import example, given
from hypothesis import strategies as st

from fer_data.annotation.decision_log import checked_rows
from fer_data.annotation.decision_writer import lines_of
from fer_data.core.errors import UserError
from fer_data.core.schema import DECISION_COLUMNS, LABEL, ORIGINAL_SPLIT, PIXEL_HASH
from fer_data.decision_import.import_plan import Plan, plan_import, read_file
from fer_data.decision_import.label_studio_export import read_annotations
from fer_data.review_queue.label_studio_tasks import CHOICES, CHOICES_TYPE
from tests.support.data.archives import EXPRESSIONS
from tests.support.hostile import ODD, TEXTS, outcome

HEADER = (",".join(DECISION_COLUMNS) + "\n").encode()
FACE, OTHER = "0" * 64, "a" * 64
LOG = pd.DataFrame(
    [[FACE, "happy", "fear", "Ann", "2026-01-01T00:00:00Z", ""]],
    columns=list(DECISION_COLUMNS),
    dtype=str,
)
MANIFEST = pd.DataFrame(
    {PIXEL_HASH: [FACE, OTHER], ORIGINAL_SPLIT: ["training"] * 2, LABEL: ["happy", "fear"]}
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | ODD | TEXTS | st.just("\ud800")
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)


def _or_any(usual: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """The usual value, in one case of a few anything."""
    return st.one_of(usual, usual, usual, JSON)


def _keys(**values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return _or_any(st.fixed_dictionaries({key: _or_any(value) for key, value in values.items()}))


LABELS = st.sampled_from([*EXPRESSIONS, "keep", "undo", "drop"])
RESULT = _keys(
    from_name=st.just(CHOICES),
    type=st.just(CHOICES_TYPE),
    value=_keys(choices=st.lists(LABELS, min_size=1, max_size=2)),
)
ANNOTATION = _keys(
    result=st.lists(RESULT, min_size=1, max_size=2),
    completed_by=st.integers(0, 2) | _keys(id=st.integers(0, 2), email=st.just("a@b.org") | ODD),
    was_cancelled=st.booleans(),
    updated_at=st.sampled_from(
        ["2026-01-31T10:00:00Z", "0001-01-01T00:00:00+23:59", "2025-01-01T00:00:00.5+01:00"]
    ),
)
TASK = _keys(
    data=_keys(pixel_hash=st.sampled_from([FACE, OTHER]), given_label=LABELS),
    annotations=st.lists(ANNOTATION, min_size=1, max_size=2),
)
EXPORTS = st.lists(TASK, min_size=1, max_size=3).map(json.dumps)
DEEP = st.integers(1, 3_000).map(lambda depth: "[" + '{"a":' * depth + "1" + "}" * depth + "]")


FORMULA = [
    {
        "data": {"pixel_hash": OTHER, "given_label": "fear"},
        "annotations": [
            {
                "result": [
                    {"from_name": CHOICES, "type": CHOICES_TYPE, "value": {"choices": ["happy"]}}
                ],
                "completed_by": {"id": 1, "email": " =1+1"},
                "updated_at": "2026-01-31T10:00:00Z",
            }
        ],
    }
]


def planned(data: bytes) -> Plan:
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch, "export.json")
        file.write_bytes(data)
        return plan_import(read_file(file), LOG, MANIFEST, expressions=EXPRESSIONS, annotator="Eve")


@example(json.dumps(FORMULA).encode())
@given(
    (EXPORTS | JSON.map(json.dumps) | DEEP).map(str.encode)
    | st.binary(max_size=80)
    | st.binary(max_size=80).map(b"[".__add__)
)
def test_any_export_is_planned_or_refused_in_one_line(data: bytes) -> None:
    plan = outcome(lambda: planned(data))
    if not isinstance(plan, UserError):
        for words in (*plan.changes, *(one.reason for one in plan.refusals)):
            assert "\n" not in words
        # All of them can be appended, and read afterwards.
        lines = HEADER + lines_of(plan.decisions, expressions=EXPRESSIONS)
        read = checked_rows(lines, file=Path("relabels.csv"), expressions=EXPRESSIONS)
        assert read.to_numpy().tolist() == [list(astuple(one)) for one in plan.decisions]


@example(json.dumps(FORMULA))
@given(EXPORTS)
def test_a_task_is_an_entry_or_refused_or_skipped(text: str) -> None:
    reading = outcome(lambda: read_annotations(text, file=Path("export.json")))
    if not isinstance(reading, UserError):
        numbers = {one.number for one in (*reading.entries, *reading.refusals)}
        assert numbers <= set(range(1, len(json.loads(text)) + 1))
