"""Draws each chart once for the pages of all these tests, most of which show the same."""

import functools
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from fer_models.reporting import view

CHARTS = [name for name in vars(view) if name.endswith(("_chart", "_curve"))]


def _once(draw: Callable[..., str]) -> Callable[..., str]:
    """The function, which keeps what it drew of equal arguments."""
    drawn: dict[bytes, str] = {}

    @functools.wraps(draw)
    def known(*values: Any, **named: Any) -> str:
        key = pickle.dumps((values, sorted(named.items())))
        if key not in drawn:
            drawn[key] = draw(*values, **named)
        return drawn[key]

    return known


@pytest.fixture(autouse=True, scope="package")
def charts_are_drawn_once():
    """For the pages alone: the tests of charts call the functions themselves."""
    with pytest.MonkeyPatch.context() as patch:
        for name in CHARTS:
            patch.setattr(view, name, _once(getattr(view, name)))
        yield
