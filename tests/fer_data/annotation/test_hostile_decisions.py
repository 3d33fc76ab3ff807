"""Any bytes are decisions or one line; what is written is read back."""

import tempfile
from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st

from fer_data.annotation.decision_log import checked_rows, read_decisions
from fer_data.annotation.decision_rows import rows_of
from fer_data.annotation.decision_writer import Decision, append_decisions, lines_of
from fer_data.annotation.latest_decisions import latest_decisions
from fer_data.core.errors import UserError
from fer_data.core.schema import DECISION_COLUMNS, DROP, KEEP, UNDO
from tests.support.data.archives import EXPRESSIONS
from tests.support.hostile import ODD, TEXTS, outcome

HEADER = ",".join(DECISION_COLUMNS)
FILE = Path("relabels.csv")
HASHES = st.sampled_from(["0" * 64, "AB" * 32, " " + "c" * 64])
LABELS = st.sampled_from([*EXPRESSIONS, KEEP, DROP, UNDO, " Happy ", "\u0130"])
TIMES = st.sampled_from(
    ["", "2026-01-31T10:00:00Z", "2026-01-31", "0001-01-01T00:00:00+23:59", "9999"]
)
CELLS = HASHES | LABELS | TIMES | ODD | TEXTS
LINES = st.one_of(
    st.tuples(HASHES, LABELS, LABELS, TEXTS | ODD, TIMES, TEXTS | ODD).map(",".join),
    st.lists(CELLS, max_size=8).map(",".join),
    st.sampled_from(["<<<<<<< ours", '"', ",,,,,", '"' + "0" * 64 + '",', "a;b"]),
)
FILES = st.lists(LINES, max_size=6).map(lambda lines: "\n".join([HEADER, *lines]).encode())
DECISIONS = st.builds(Decision, HASHES, LABELS | ODD, LABELS, TEXTS | ODD, TIMES | ODD, TEXTS | ODD)


@example(f'{HEADER}\n"{"0" * 64},\n'.encode())
@given(st.binary(max_size=200) | FILES | st.binary(max_size=60).map(f"{HEADER}\n".encode().__add__))
def test_any_file_is_read_or_refused_in_one_line(data: bytes) -> None:
    found = outcome(lambda: checked_rows(data, file=FILE, expressions=EXPRESSIONS))
    if not isinstance(found, UserError):
        assert list(found.columns) == list(DECISION_COLUMNS)
        assert set(found["decision"]) <= {*EXPRESSIONS, KEEP, DROP, UNDO}
        assert len(latest_decisions(found)) <= len(found)


@given(st.lists(LINES, max_size=6).map("\n".join))
def test_rows_keep_their_order_and_their_lines(text: str) -> None:
    numbers = [row.number for row in rows_of(text)]
    assert numbers == sorted(set(numbers))
    assert not numbers or numbers[-1] <= text.count("\n") + 2


@example([Decision("0" * 64, "happy", "fear", " =1+1", "")])
@example([Decision("0" * 64, " Happy ", "fear", "", "")])
@given(st.lists(DECISIONS, max_size=3))
def test_what_is_written_is_read_back(decisions: list[Decision]) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch, FILE)
        before = f"{HEADER}\n".encode()
        file.write_bytes(before)
        result = outcome(lambda: append_decisions(file, decisions, expressions=EXPRESSIONS))
        assert [path.name for path in Path(scratch).iterdir()] == [FILE.name]
        if isinstance(result, UserError):
            assert file.read_bytes() == before
            return
        read = [Decision(*row) for row in read_decisions(file, expressions=EXPRESSIONS).to_numpy()]
        assert len(read) == len(decisions)
        assert before + lines_of(read, expressions=EXPRESSIONS) == file.read_bytes()
