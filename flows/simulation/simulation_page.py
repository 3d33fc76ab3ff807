"""Draws a simulated review: label error and accuracy against the number of decisions."""

from collections.abc import Mapping

import matplotlib as mpl
import pandas as pd
from markupsafe import Markup
from matplotlib.axes import Axes

from fer_data.web.html import render_page
from fer_models.reporting.chart_style import ACCENT, INK, MUTED, STYLE, empty_chart, svg_of

_LOOKS: Mapping[str, tuple[str, str, str]] = {
    "learned": ("queue that learns", ACCENT, "-"),
    "queue": ("queue by label quality", INK, "--"),
    "random": ("at random", MUTED, ":"),
}
"""The name, color and dashes of each order."""
_MOST_TICKS = 7


def simulation_page(steps: pd.DataFrame, *, model: str, annotator: str) -> str:
    """Renders the page of a simulated review.

    Args:
        steps: One row a step, as `as_table` returns them.
        model: The model that learned from the decisions.
        annotator: Who decided.

    Returns:
        HTML with everything inlined.
    """
    last = [
        (_LOOKS[str(order)][0], rows.iloc[0], rows.iloc[-1])
        for order, rows in steps.groupby("order", sort=False)
    ]
    return render_page(
        "flows.simulation",
        "simulation.html.j2",
        error_chart=Markup(error_chart(steps)),
        accuracy_chart=Markup(accuracy_chart(steps)),
        last=last,
        best=min(last, key=lambda one: one[2]["label_error"]),
        model=model,
        annotator=annotator,
        names={order: name for order, (name, *_) in _LOOKS.items()},
        steps=steps.to_dict("records"),
    )


def error_chart(steps: pd.DataFrame) -> str:
    """Draws the part of wrong labels that the model learns from, in each order: an `<svg>` element."""
    with mpl.rc_context(STYLE):
        figure, axes = empty_chart("Wrong labels left in training", height=300)
        _draw_orders(axes, steps, "label_error")
        axes.set_ylabel("of the labels")
        axes.set_ylim(bottom=0)
        return svg_of(figure, "simulated-error", "Wrong labels by the number of decisions")


def accuracy_chart(steps: pd.DataFrame) -> str:
    """Draws the model's accuracy on Testing faces, with its intervals: an `<svg>` element."""
    with mpl.rc_context(STYLE):
        figure, axes = empty_chart("Accuracy on Testing faces", height=300)
        _draw_orders(axes, steps, "accuracy", with_interval=True)
        axes.set_ylabel("of the faces")
        return svg_of(figure, "simulated-accuracy", "Accuracy by the number of decisions")


def _draw_orders(
    axes: Axes, steps: pd.DataFrame, column: str, *, with_interval: bool = False
) -> None:
    """Draws a column against the decisions, a line for each order."""
    for order, rows in steps.groupby("order", sort=False):
        name, color, dashes = _LOOKS[str(order)]
        made = rows["decisions"]
        axes.plot(made, rows[column], f"o{dashes}", color=color, label=name, markersize=4)
        if with_interval:
            axes.fill_between(made, rows["low"], rows["high"], color=color, alpha=0.08, linewidth=0)
    ticks = sorted(set(steps["decisions"]))
    axes.set_xticks(ticks[:: -(-len(ticks) // _MOST_TICKS)])
    axes.set_xlabel("decisions")
    axes.yaxis.set_major_formatter(lambda share, _: f"{100 * share:.4g}%")
    axes.margins(y=0.08)
    axes.legend(loc="upper center", bbox_to_anchor=(0.44, -0.2), ncols=1)
