"""Styles the charts: an empty chart in the page's colors, and its SVG for the page.

Equal metrics give equal bytes. Colors are the page's CSS variables, so that the charts follow
its light and its dark theme. Charts are 360 units wide, if nothing else is said: as wide as a phone,
where a text of 11 units is 11 pixels high.
"""

import io
import re
from html import escape
from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Matplotlib knows no CSS variables: each of these colors stands for one until the SVG is written.
INK, MUTED, LINE = "#010101", "#020202", "#030303"
ACCENT = "#040404"
PAPER = "#050505"
CLASS_COLOURS = tuple(f"#0606{number:02x}" for number in range(8))
_VARIABLES: Final = {
    INK: "var(--ink, #1e1f21)",
    MUTED: "var(--muted, #66655f)",
    LINE: "var(--line, #e4e0d7)",
    ACCENT: "var(--accent, #0b6b66)",
    PAPER: "var(--paper, #fbfaf7)",
    **{color: f"var(--class-{number}, #66655f)" for number, color in enumerate(CLASS_COLOURS)},
}
DASHES: Final = ("-", (0, (5, 1.5)), (0, (1.5, 1.5)), (0, (6, 1.5, 1.5, 1.5)))
# `Any`, since Matplotlib types its keys as a union of 300 literals.
STYLE: Final[dict[Any, Any]] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "ferflow",
    "font.family": "DejaVu Sans",
    "font.size": 11.5,
    "text.color": INK,
    "text.parse_math": False,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": MUTED,
    "axes.titlelocation": "left",
    "axes.titlesize": 13,
    "axes.titleweight": "bold",
    "axes.titlepad": 12,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LINE,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "lines.linewidth": 1.9,
    "legend.frameon": False,
    "legend.fontsize": 11.5,
}


def empty_chart(title: str, *, height: int, width: int = 360) -> tuple[Figure, Axes]:
    """Makes an empty chart, `width` units wide and `height` units high; drawn on within `STYLE`."""
    figure = Figure(figsize=(width / 72, height / 72), layout="constrained")
    figure.patch.set_visible(False)
    axes = figure.subplots()
    axes.patch.set_visible(False)
    axes.tick_params(length=0, pad=6)
    axes.set_title(title)
    return figure, axes


def svg_of(figure: Figure, chart_id: str, label: str) -> str:
    """Writes a chart as an element of HTML.

    Args:
        figure: The chart.
        chart_id: The start of all its ids; no other chart on the page may have it.
        label: The text of the chart for screen readers.
    """
    buffer = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(buffer, format="svg", metadata=nothing)
    svg = buffer.getvalue()
    # Ids of several charts must not meet on one page.
    svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{chart_id}-", svg[svg.index("<svg") :])
    svg = svg.replace("xlink:href", "href")
    # The colors that stand for variables become those variables.
    for color, variable in _VARIABLES.items():
        svg = svg.replace(color, variable)
    # Without width and height, the chart is as wide as its place on the page.
    view_box = re.search(r'viewBox="[^"]*"', svg)
    if view_box is None:
        raise ValueError("Matplotlib wrote an SVG without a viewBox")
    # Matplotlib's own style element would apply to the whole page.
    body = re.sub(r"<style.*?</style>", "", svg[svg.index(">") + 1 :], count=1, flags=re.DOTALL)
    return (
        f'<svg {view_box[0]} xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{escape(label)}" '
        f'stroke-linejoin="round">{body.strip()}'
    )
