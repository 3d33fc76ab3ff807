"""What every reader of untrusted input owes: a result, or one line."""

from collections.abc import Callable
from typing import TypeVar

from hypothesis import strategies as st

from fer_data.core.errors import UserError, shown

T = TypeVar("T")

TEXTS = st.text(st.characters(codec="utf-8"), max_size=8)
ODD = st.sampled_from(
    [
        *(
            "",
            " ",
            ".",
            "..",
            "/",
            "\\",
            "C:",
            "a\nb",
            "a\r\nb",
            "\x00",
            "\x1b[31m",
            "\u2028",
            "\x85",
        ),
        *(
            "e\u0301",
            "\xe9",
            "te\ufb06",
            "\u0663",
            "\u202e",
            "=1+1",
            " =1+1",
            "@x",
            "'",
            '"',
            "[b]",
            "[/]",
        ),
        *("nan", "-1", "1_0", "1e9", "9" * 5_000, "x" * 300, "%s{0}$HOME", "<b>&amp;"),
    ]
)
"""Texts that have broken a reader somewhere."""


def outcome(read: Callable[[], T]) -> T | UserError:
    """What `read` returns, or the `UserError` that it raises, whose message must be one line."""
    try:
        return read()
    except UserError as error:
        refusal = error
    assert str(refusal)
    assert "\n" not in shown(str(refusal))
    return refusal


def flipped(data: bytes, changes: list[tuple[int, int]]) -> bytes:
    """A copy with other bytes at places that are taken modulo its length."""
    copy = bytearray(data)
    for place, value in changes:
        copy[place % len(copy)] = value
    return bytes(copy)


CHANGES = st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(0, 255)), min_size=1, max_size=6)
"""What `flipped` changes."""
