import random
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fer_data.annotation import standing_decisions as module
from fer_data.annotation.decision_log import read_decisions
from fer_data.annotation.decision_writer import Decision, append_decisions
from fer_data.annotation.latest_decisions import latest_decisions
from fer_data.annotation.standing_decisions import Standing
from fer_data.core.clock import now
from fer_data.core.errors import UserError
from fer_data.core.schema import DECISION_COLUMNS

EXPRESSIONS = ("happy", "sad")
HEADER = ",".join(DECISION_COLUMNS) + "\n"
FACES = [f"{number:064x}" for number in range(4)]


def made(face: int = 0, word: str = "sad", by: str = "ann", at: str | None = None) -> Decision:
    return Decision(FACES[face], "happy", word, by, now() if at is None else at)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "relabels.csv"
    file.write_text(HEADER)
    return file


def test_what_it_remembers_is_what_the_file_says(file: Path) -> None:
    chance = random.Random(0)
    review_app = Standing(file, expressions=EXPRESSIONS)
    for _ in range(60):
        at = chance.choice(["", f"2026-01-31T10:{chance.randrange(60):02d}:00Z"])
        word = chance.choice(["happy", "sad", "keep", "drop", "undo"])
        one = made(chance.randrange(4), word, chance.choice(["ann", "bob"]), at)
        if chance.random() < 0.5:
            review_app.append([one])
        else:  # another review app
            append_decisions(file, [one], expressions=EXPRESSIONS)
        latest = latest_decisions(read_decisions(file, expressions=EXPRESSIONS))
        expected = [Decision(*row) for row in latest.itertuples(index=False, name=None)]
        assert sorted(review_app.on(FACES), key=repr) == sorted(expected, key=repr)


def test_a_file_that_did_not_change_is_not_read_again(file: Path, monkeypatch) -> None:
    reads: list[Path] = []
    read_whole = module.read_whole
    monkeypatch.setattr(module, "read_whole", lambda path: reads.append(path) or read_whole(path))
    review_app = Standing(file, expressions=EXPRESSIONS)
    for _ in range(3):
        review_app.append([made()])
        review_app.on(FACES)
    assert len(reads) == 1
    append_decisions(file, [made(1)], expressions=EXPRESSIONS)
    assert len(review_app.on(FACES)) == 2
    assert len(reads) == 2


def test_a_line_that_an_editor_changes_or_takes_out_counts(file: Path) -> None:
    review_app = Standing(file, expressions=EXPRESSIONS)
    review_app.append([made(0), made(1)])
    file.write_text(file.read_text().replace(",sad,", ",keep,"))
    assert [one.decision for one in review_app.on(FACES)] == ["keep", "keep"]
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:2]))
    assert [one.pixel_hash for one in review_app.on(FACES)] == FACES[:1]
    with file.open("a") as lines:
        lines.write("12,angry,sad,ann,,\n")
    with pytest.raises(UserError, match="line 3: got the pixel hash '12'"):
        review_app.on(FACES)
    file.unlink()
    with pytest.raises(UserError, match="is missing: `git checkout"):
        review_app.on(FACES)


def test_a_mark_before_a_line_in_the_middle_is_refused_as_by_everybody_else(file: Path) -> None:
    append_decisions(file, [made()], expressions=EXPRESSIONS)
    review_app = Standing(file, expressions=EXPRESSIONS)
    with file.open("ab") as other:
        other.write(f"\ufeff{FACES[1]},happy,sad,ann,,\n".encode())
    for read in (
        lambda: review_app.on(FACES),
        lambda: read_decisions(file, expressions=EXPRESSIONS),
    ):
        with pytest.raises(UserError, match="line 3: got the pixel hash"):
            read()


def test_a_clock_that_ran_ahead_elsewhere_does_not_outdo_the_next_decision(file: Path) -> None:
    ahead = (datetime.now(UTC) + timedelta(hours=5)).isoformat()
    append_decisions(file, [made(0, "drop", "bob", ahead)], expressions=EXPRESSIONS)
    review_app = Standing(file, expressions=EXPRESSIONS)
    review_app.append([made(0, "sad")])
    assert [one.decision for one in review_app.on(FACES)] == ["sad"]


def test_a_key_among_100000_decisions_stays_under_a_tenth_of_a_second(file: Path) -> None:
    with file.open("a") as lines:
        for number in range(100_000):
            minute = f"{number // 3600 % 24:02d}:{number // 60 % 60:02d}:{number % 60:02d}"
            lines.write(f"{number % 30_000:064x},happy,sad,ann,2026-01-31T{minute}Z,\n")
    review_app = Standing(file, expressions=EXPRESSIONS)
    keys: list[float] = []
    for number in range(10):
        started = time.process_time()  # of this process alone, whatever else the machine does
        review_app.append([made(number % 4)])
        review_app.on(FACES)
        keys.append(time.process_time() - started)
    assert sorted(keys)[5] < 0.1
