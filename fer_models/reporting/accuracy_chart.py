"""Draws the accuracy of each model with its interval, the paper's value and the peer's, on one axis."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter

from fer_data.web.html import percent
from fer_models.reporting.chart_style import ACCENT, INK, MUTED, PAPER, STYLE, empty_chart, svg_of

WIDE, NARROW = 720, 360
"""Units that the chart is wide on a screen, and on a phone."""

_WIDE_ROW, _NARROW_ROW = 32, 46  # units that a row is high
_LINE = 0.32  # of a narrow row
_AROUND = 108  # units of title, axis and legend
_WIDE_NAME, _NARROW_NAME = 30, 38  # letters in a line of a name


@dataclass(frozen=True)
class AccuracyRow:
    """An accuracy with its 95 % interval, all of them fractions of 1."""

    name: str
    """What the accuracy is of."""
    value: float
    low: float
    """The lower end of the interval."""
    high: float
    """The upper end."""
    paper: float | None = None
    """The paper's accuracy of the same model; None where there is none to compare with."""
    is_peer: bool = False
    """Whether it is the peer, and none of the models."""


def accuracy_chart(rows: Sequence[AccuracyRow], *, chart_id: str, wide: bool = False) -> str:
    """Draws one row a model, the most accurate one first.

    Args:
        rows: At least one, in any order.
        chart_id: The start of all ids in the chart; no other chart on the page may have it.
        wide: Whether names and intervals stand beside the axis, for which a phone is too narrow; else
            each name stands above its row.

    Returns:
        The chart, an `<svg>` element; its label tells all numbers to those who do not see it.
    """
    ranked = sorted(rows, key=lambda row: -row.value)
    names = [_folded(row.name, _WIDE_NAME if wide else _NARROW_NAME) for row in ranked]
    # A row is 1 high, and higher by each further line that stands above it.
    heights = [1 if wide else 1 + _LINE * name.count("\n") for name in names]
    places = np.cumsum(heights) - 0.5
    height = _AROUND + sum(heights) * (_WIDE_ROW if wide else _NARROW_ROW)
    with mpl.rc_context(STYLE):
        figure, axes = empty_chart(
            "Accuracy on the Testing faces", height=round(height), width=WIDE if wide else NARROW
        )
        for place, name, row in zip(places, names, ranked, strict=True):
            _draw_row(axes, place, row)
            (_write_beside if wide else _write_above)(axes, place, name, row)
        axes.set_ylim(sum(heights), 0 if wide else -0.1)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.margins(x=0.06)
        axes.xaxis.set_major_locator(MaxNLocator(6 if wide else 4, steps=[1, 2, 5, 10]))
        axes.xaxis.set_major_formatter(PercentFormatter(xmax=1, decimals=0))
        axes.set_xlabel("faces classified correctly, with 95% interval")
        handles, labels = axes.get_legend_handles_labels()
        kinds = dict(zip(labels, handles, strict=True))  # one of each
        figure.legend(
            kinds.values(), kinds.keys(), loc="outside lower center", ncols=3, columnspacing=1.8,
            handlelength=1.2, handletextpad=0.4,
        )  # fmt: skip
        return svg_of(figure, chart_id, _label(ranked))


def _draw_row(axes: Axes, place: float, row: AccuracyRow) -> None:
    """Draws the interval as a bar, the accuracy as a dot or square on it, the paper's as a diamond."""
    color, marker, kind = (MUTED, "s", "peer") if row.is_peer else (ACCENT, "o", "model")
    axes.plot((row.low, row.high), (place, place), color=color, alpha=0.4, linewidth=6)
    axes.plot(row.value, place, marker, color=color, markersize=7, label=kind)
    if row.paper is not None:
        axes.plot(
            row.paper, place, "D", color=INK, markersize=6.5, markerfacecolor="none",
            markeredgewidth=1.5, label="the paper",
        )  # fmt: skip


def _write_beside(axes: Axes, place: float, name: str, row: AccuracyRow) -> None:
    """Writes the name left of the axis, accuracy and interval right of it."""
    # Places are (widths of the axes, rows), and from there so many units to the right.
    texts: tuple[tuple[int, int, str, dict[str, Any]], ...] = (
        (0, -12, name, {"ha": "right", "linespacing": 1.1}),
        (1, 14, percent(row.value), {"weight": "bold"}),
        (1, 68, _interval(row), {"color": MUTED}),
    )
    for x, right, text, look in texts:
        axes.annotate(
            text, (x, place), xytext=(right, 0), xycoords=axes.get_yaxis_transform(),
            textcoords="offset points", va="center", annotation_clip=False, **look,
        )  # fmt: skip


def _write_above(axes: Axes, place: float, name: str, row: AccuracyRow) -> None:
    """Writes the name above its row, with the accuracy at its right end."""
    look: dict[str, Any] = {
        "va": "baseline",
        "transform": axes.get_yaxis_transform(),
        # No line of the grid runs through a name.
        "bbox": {"facecolor": PAPER, "edgecolor": "none", "pad": 1},
    }
    axes.text(0, place - 0.26, name, ha="left", linespacing=1.1, **look)
    axes.text(1, place - 0.26, percent(row.value), ha="right", weight="bold", **look)


def _folded(name: str, letters: int) -> str:
    """A name in one line or two."""
    return "\n".join(
        textwrap.wrap(name, letters, max_lines=2, placeholder="\N{HORIZONTAL ELLIPSIS}")
    )


def _interval(row: AccuracyRow) -> str:
    return f"{100 * row.low:.1f} \N{EN DASH} {percent(row.high)}"


def _label(rows: Sequence[AccuracyRow]) -> str:
    """All rows in words."""
    words = [
        f"{row.name}{' (peer)' if row.is_peer else ''} {percent(row.value)}, "
        f"95 % interval {_interval(row)}"
        + ("" if row.paper is None else f", the paper {percent(row.paper)}")
        for row in rows
    ]
    return "Accuracy on the Testing faces: " + "; ".join(words)
