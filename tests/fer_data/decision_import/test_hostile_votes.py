"""Any table of votes comes to majorities, or is refused in one line."""

import csv
import io
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from fer_data.core.errors import UserError
from fer_data.decision_import.vote_majorities import Majorities, find_majorities
from fer_data.decision_import.vote_rows import read_votes
from tests.fer_data.decision_import.test_votes import EXPRESSIONS, MANIFEST
from tests.support.hostile import ODD, TEXTS, outcome

COLUMNS = st.sampled_from(["path", "Usage", "pixel_hash", "happiness", "sad", "NF", "unknown"])
CELLS = st.one_of(
    st.integers(0, 12).map(str),
    st.sampled_from([*MANIFEST["path"], "Training", "b" * 64]),
    ODD,
    TEXTS,
)


@st.composite
def tables(draw: st.DrawFn) -> bytes:
    """A CSV of votes, or nearly one."""
    columns = draw(st.lists(COLUMNS, min_size=1, max_size=5, unique=True) | st.lists(COLUMNS | ODD))
    cells = [
        CELLS if name in ("path", "Usage", "pixel_hash") else st.integers(0, 12) for name in columns
    ]
    rows = draw(st.lists(st.tuples(*cells) | st.lists(CELLS, max_size=6), max_size=4))
    stream = io.StringIO()
    csv.writer(stream).writerows([columns, *rows])
    return stream.getvalue().encode()


def majorities(data: bytes) -> Majorities:
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch, "votes.csv")
        file.write_bytes(data)
        read = read_votes(file, expressions=EXPRESSIONS)
        assert all("\n" not in one.reason for one in read.refusals)
        return find_majorities(
            read.rows, MANIFEST, min_agreement=0.6, expressions=EXPRESSIONS, annotator="votes"
        )


@given(tables() | st.binary(max_size=100) | st.binary(max_size=60).map(b"path,happy\n".__add__))
def test_any_table_of_votes_is_counted_or_refused_in_one_line(data: bytes) -> None:
    votes = outcome(lambda: majorities(data))
    if not isinstance(votes, UserError):
        assert {one.decision.decision for one in votes.entries} <= {*EXPRESSIONS, "keep", "drop"}
