import hashlib
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from fer_data.annotation.append_lines import read_whole
from fer_data.annotation.decision_log import read_decisions
from fer_data.annotation.decision_writer import Decision, append_decisions, lines_of
from fer_data.annotation.latest_decisions import latest_decisions
from fer_data.core.clock import now
from fer_data.core.errors import UserError

HEADER = "pixel_hash,given_label,decision,annotator,decided_at,note\n"
EXPRESSIONS = ("happy", "sad")


def decision(number: int = 0, word: str = "sad", **changes: str) -> Decision:
    fields = {
        "pixel_hash": f"{number:064x}",
        "given_label": "happy",
        "decision": word,
        "annotator": "ann",
        "decided_at": "2026-01-31T10:00:00Z",
    }
    return Decision(**{**fields, **changes})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "relabels.csv"
    file.write_text(HEADER)
    return file


def test_decisions_are_read_back_as_they_were_made(file: Path) -> None:
    append_decisions(
        file, [decision(1), decision(2, note='said "oh", twice')], expressions=EXPRESSIONS
    )
    append_decisions(file, [decision(1, "keep")], expressions=EXPRESSIONS)
    read = read_decisions(file, expressions=EXPRESSIONS)
    assert list(read["decision"]) == ["sad", "sad", "keep"]
    assert list(read["note"]) == ["", 'said "oh", twice', ""]
    assert set(latest_decisions(read)["decision"]) == {"sad", "keep"}


def test_an_undo_lets_the_decision_before_stand_again(file: Path) -> None:
    words = ("sad", "keep", "undo")
    append_decisions(file, [decision(1, word) for word in words], expressions=EXPRESSIONS)
    assert list(latest_decisions(read_decisions(file, expressions=EXPRESSIONS))["decision"]) == [
        "sad"
    ]
    append_decisions(file, [decision(1, "undo"), decision(2, "undo")], expressions=EXPRESSIONS)
    assert latest_decisions(read_decisions(file, expressions=EXPRESSIONS)).empty


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (decision(word="glad"), "got the decision 'glad', expected one of happy, sad, keep, drop"),
        (decision(pixel_hash="12"), "got the pixel hash '12'"),
        (decision(note="=1+1"), "the note '=1.1' would be a formula in a spreadsheet"),
        (decision(annotator="@ann"), "the annotator '@ann' would be a formula"),
        (decision(note="two\nlines"), "the note holds a line break"),
    ],
)
def test_one_wrong_decision_lets_none_of_them_in(file: Path, wrong: Decision, message: str) -> None:
    with pytest.raises(UserError, match=message):
        append_decisions(file, [decision(1), wrong], expressions=EXPRESSIONS)
    assert file.read_text() == HEADER


def test_a_last_line_without_its_end_is_ended_first(file: Path) -> None:
    append_decisions(file, [decision(1)], expressions=EXPRESSIONS)
    file.write_text(file.read_text().rstrip("\n"))
    append_decisions(file, [decision(2)], expressions=EXPRESSIONS)
    assert len(read_decisions(file, expressions=EXPRESSIONS)) == 2


def test_a_missing_file_is_said_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"relabels\.csv is missing: `git checkout"):
        append_decisions(tmp_path / "relabels.csv", [decision()], expressions=EXPRESSIONS)
    assert not list(tmp_path.iterdir())


TORN = """
import resource, signal, sys
from pathlib import Path
from fer_data.annotation.decision_writer import Decision, append_decisions
file = Path(sys.argv[1])
signal.signal(signal.SIGXFSZ, getattr(signal, sys.argv[2]))
limit = file.stat().st_size + 20
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
one = Decision("0" * 64, "happy", "sad", "ann", "2026-01-31T10:00:00Z")
append_decisions(file, [one], expressions=("happy", "sad"))
"""


@pytest.mark.parametrize(
    ("then", "returncode", "last_words"),
    [("SIG_DFL", -signal.SIGXFSZ, ""), ("SIG_IGN", 1, "File too large\n")],
    ids=["killed", "full"],
)
def test_a_write_that_ends_halfway_is_as_if_it_had_not_begun(
    file: Path, then: str, returncode: int, last_words: str
) -> None:
    append_decisions(file, [decision(1)], expressions=EXPRESSIONS)
    before = file.read_text()
    command = [sys.executable, "-c", TORN, str(file), then]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == returncode
    assert finished.stderr.endswith(last_words)
    assert read_whole(file)[0].decode() == before
    assert len(read_decisions(file, expressions=EXPRESSIONS)) == 1
    append_decisions(file, [decision(2)], expressions=EXPRESSIONS)
    assert file.read_text() == before + before.splitlines()[1].replace("1,happy", "2,happy") + "\n"
    assert list(file.parent.iterdir()) == [file]


def test_the_file_keeps_its_mode_and_its_link(file: Path, tmp_path: Path) -> None:
    file.chmod(0o640)
    link = tmp_path / "link.csv"
    link.symlink_to(file)
    append_decisions(link, [decision(1)], expressions=EXPRESSIONS)
    assert link.is_symlink()
    assert file.stat().st_mode & 0o777 == 0o640
    assert len(read_decisions(file, expressions=EXPRESSIONS)) == 1


def test_a_file_that_is_replaced_while_a_writer_waits_gets_the_line(file: Path) -> None:
    import fcntl

    with file.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        writer = threading.Thread(
            target=append_decisions, args=(file, [decision(1)]), kwargs={"expressions": EXPRESSIONS}
        )
        writer.start()
        writer.join(0.2)
        assert writer.is_alive()
        other = file.with_name("other.csv")
        other.write_text(HEADER)
        other.replace(file)
    writer.join(10)
    assert len(read_decisions(file, expressions=EXPRESSIONS)) == 1


WRITER = """
import sys
from pathlib import Path
from fer_data.annotation.decision_writer import Decision, append_decisions
for number in range(int(sys.argv[2])):
    one = Decision(f"{number:064x}", "happy", "sad", sys.argv[3], "2026-01-31T10:00:00Z", "n" * 300)
    append_decisions(Path(sys.argv[1]), [one], expressions=("happy", "sad"))
"""


def test_two_writers_at_once_lose_nothing(file: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(file), "40"]
    writers = [subprocess.Popen([*command, name]) for name in ("ann", "bob")]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    read = read_decisions(file, expressions=EXPRESSIONS)
    assert dict(read["annotator"].value_counts()) == {"ann": 40, "bob": 40}


BATCHES = """
import sys
from pathlib import Path
from fer_data.annotation.decision_writer import Decision, append_decisions
for number in range(100_000):
    line = Decision(f"{number:064x}", "happy", "sad", "ann", "2026-01-31T10:00:00Z", "n" * 3000)
    append_decisions(Path(sys.argv[1]), [line] * 3, expressions=("happy", "sad"))
"""


def test_a_writer_killed_at_any_moment_leaves_whole_batches(file: Path) -> None:
    for number in range(6):
        writer = subprocess.Popen([sys.executable, "-c", BATCHES, str(file)])
        try:
            size = file.stat().st_size
            while file.stat().st_size == size:
                assert writer.poll() is None
            threading.Event().wait(number * 0.014)
        finally:
            writer.kill()
            writer.wait()
        data, _ = read_whole(file)
        assert data.endswith(b"\n")
        killed = read_decisions(file, expressions=EXPRESSIONS)
        assert len(killed) % 3 == 0
        append_decisions(file, [decision(1)] * 3, expressions=EXPRESSIONS)
        assert file.read_bytes().startswith(data)
        assert len(read_decisions(file, expressions=EXPRESSIONS)) == len(killed) + 3


@pytest.mark.parametrize("written", range(0, 400, 40))
def test_what_a_killed_writer_left_is_passed_over_and_taken_away(file: Path, written: int) -> None:
    append_decisions(file, [decision(1)], expressions=EXPRESSIONS)
    before = file.read_bytes()
    lines = lines_of([decision(2), decision(3)], expressions=EXPRESSIONS)
    plan = file.with_name(".relabels.csv.unfinished")
    digest = hashlib.sha256(lines).hexdigest()
    plan.write_bytes(f"{len(before)} {digest}\n".encode() + lines)
    file.write_bytes(before + lines[:written])
    whole = before + lines if written >= len(lines) else before
    assert read_whole(file)[0] == whole
    append_decisions(file, [decision(4)], expressions=EXPRESSIONS)
    assert file.read_bytes() == whole + lines_of([decision(4)], expressions=EXPRESSIONS)
    assert not plan.exists()


def test_a_last_line_of_an_editor_is_no_half_line_of_ours(file: Path) -> None:
    append_decisions(file, [decision(1)], expressions=EXPRESSIONS)
    lines = lines_of([decision(2)], expressions=EXPRESSIONS)
    plan = file.with_name(".relabels.csv.unfinished")
    head = f"{len(file.read_bytes())} {hashlib.sha256(lines).hexdigest()}\n".encode()
    for left in (head + lines[:50], b"", b"x\n", head):  # a plan that was itself cut off
        plan.write_bytes(left)
        with file.open("ab") as editor:
            editor.write(lines[:-1])
        append_decisions(file, [decision(3)], expressions=EXPRESSIONS)
    assert len(read_decisions(file, expressions=EXPRESSIONS)) == 9


def test_now_is_in_utc_to_the_second() -> None:
    assert len(now()) == len("2026-01-31T10:00:00Z")
    assert now().endswith("Z")
