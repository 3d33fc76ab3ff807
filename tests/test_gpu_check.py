"""The check of a GPU runs at tiny size where there is none: each step works, and says what it found."""

import re

import pytest

from benchmarks.gpu_check import STEPS, check_all


def rows_of(printed: str) -> list[tuple[str, str]]:
    cells = [line.strip("| ").split(" | ") for line in printed.splitlines()]
    return [(row[0], row[1]) for row in cells if row[0] in STEPS]


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        (
            ("two epochs, bit by bit", "export"),
            [r"compact twice: equal bits", r"killed .*, then resumed: equal", r"onnx: .*"],
        ),
        (
            ("faces a second",),
            [r"scratch, XLA off: batch 32 [\d,]+", r"scratch, XLA on: batch 32 .*"],
        ),
    ],
)
def test_the_steps_work_on_a_processor(steps, expected, capfd) -> None:
    failed = check_all(10, is_tiny=True, steps=steps)
    rows = rows_of(capfd.readouterr().out)
    assert failed == 0, rows
    assert {step for step, _ in rows} == set(steps)
    for (_, result), pattern in zip(rows, expected, strict=True):
        assert re.fullmatch(pattern, result), result


def test_what_does_not_fit_into_the_time_is_named(capfd) -> None:
    assert check_all(0, is_tiny=True, steps=("mobilenetv2 from nothing",)) == 1
    assert rows_of(capfd.readouterr().out) == [
        ("mobilenetv2 from nothing", "did not fit into the time")
    ]
