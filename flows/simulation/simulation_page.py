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
        model=model,
        annotator=annotator,
        names={order: name for order, (name, *_) in _LOOKS.items()},
        steps=steps.to_dict("records"),
    )


def error_chart(steps: pd.DataFrame, *, width: int = 360) -> str:
    """Draws the part of wrong labels that the model learns from, in each order: an `<svg>` element."""
    with mpl.rc_context(STYLE):
        figure, axes = empty_chart("Wrong labels left in training", height=300, width=width)
        for order, rows in steps.groupby("order", sort=False):
            name, color, dashes = _LOOKS[str(order)]
            axes.plot(
                rows["decisions"],
                rows["label_error"],
                color=color,
                linestyle=dashes,
                label=name,
                marker="o",
                markersize=4,
            )
        _finish(axes, "of the labels", steps["decisions"], from_zero=True)
        return svg_of(figure, "simulated-error", "Wrong labels by the number of decisions")


def accuracy_chart(steps: pd.DataFrame, *, width: int = 360) -> str:
    """Draws the model's accuracy on Testing faces, with its intervals: an `<svg>` element."""
    with mpl.rc_context(STYLE):
        figure, axes = empty_chart("Accuracy on Testing faces", height=300, width=width)
        for order, rows in steps.groupby("order", sort=False):
            name, color, dashes = _LOOKS[str(order)]
            axes.plot(
                rows["decisions"],
                rows["accuracy"],
                color=color,
                linestyle=dashes,
                label=name,
                marker="o",
                markersize=4,
            )
            axes.fill_between(
                rows["decisions"], rows["low"], rows["high"], color=color, alpha=0.08, linewidth=0
            )
        _finish(axes, "of the faces", steps["decisions"], from_zero=False)
        return svg_of(figure, "simulated-accuracy", "Accuracy by the number of decisions")


def _finish(axes: Axes, label: str, decisions: pd.Series, *, from_zero: bool) -> None:
    axes.set_xlabel("decisions")
    axes.set_ylabel(label)
    made = sorted(set(decisions))
    axes.set_xticks(made[:: -(-len(made) // _MOST_TICKS)])
    axes.yaxis.set_major_formatter(lambda share, _: f"{100 * share:.4g}%")
    axes.margins(y=0.08)
    if from_zero:
        axes.set_ylim(bottom=0)
    axes.legend(loc="upper center", bbox_to_anchor=(0.44, -0.2), ncols=1)
