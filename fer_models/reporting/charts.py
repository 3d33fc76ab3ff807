"""Draws training curves, confusion matrices and curves of each class as SVG, to be inlined in a page."""

from collections.abc import Mapping
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator, MultipleLocator, PercentFormatter

from fer_data.web.html import UNKNOWN, percent
from fer_models.reporting.chart_style import (
    ACCENT,
    CLASS_COLOURS,
    DASHES,
    MUTED,
    STYLE,
    empty_chart,
    svg_of,
)

Curve = Literal["accuracy", "loss"]


def training_curve(history: pd.DataFrame, *, curve: Curve, saved_epoch: int, chart_id: str) -> str:
    """Draws accuracy or loss over the epochs, on `train` and on `validation`.

    Args:
        history: One row an epoch: `epoch` (1-based), `accuracy`, `loss`, `val_accuracy`, `val_loss`.
        curve: Which of them.
        saved_epoch: The epoch whose weights were kept; it is marked.
        chart_id: The start of all ids in the chart; no other chart on the page may have it.

    Returns:
        The chart, an `<svg>` element.
    """
    epochs = history["epoch"].to_numpy()
    with mpl.rc_context(STYLE):
        figure, axes = empty_chart(f"{curve.capitalize()} over the epochs", height=320)
        kept = history[history["epoch"] == saved_epoch]
        for column, name, color, dashes in (
            (curve, "training", MUTED, "--"),
            (f"val_{curve}", "validation", ACCENT, "-"),
        ):
            axes.plot(epochs, history[column], color=color, linestyle=dashes, label=name)
            axes.plot(kept["epoch"], kept[column], "o", color=color, markersize=5.5)
        axes.axvline(saved_epoch, color=MUTED, linewidth=1, linestyle=":", label="saved epoch")
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
        axes.margins(y=0.08)
        if curve == "accuracy":
            axes.set_ylabel("faces classified correctly")
            axes.yaxis.set_major_formatter(lambda share, _: f"{100 * share:.4g}%")
        else:
            axes.set_ylabel("loss (nats per face)")
        axes.legend(
            loc="upper center", bbox_to_anchor=(0.44, -0.2), ncols=3, columnspacing=1.2,
            handlelength=1.6, handletextpad=0.5,
        )  # fmt: skip
        return svg_of(figure, chart_id, f"{curve} by epoch, training and validation")


def confusion_chart(matrix: np.ndarray, *, expressions: tuple[str, ...], chart_id: str) -> str:
    """Draws a confusion matrix: shaded by row, with counts and percentages of the row.

    Args:
        matrix: Counts, int (K, K): given labels in rows, predictions in columns.
        expressions: The K classes, in order.
        chart_id: The start of all ids in the chart; no other chart on the page may have it.

    Returns:
        The chart, an `<svg>` element.
    """
    totals = matrix.sum(axis=1, keepdims=True)
    shares = matrix / np.maximum(totals, 1)
    # Half transparent at most: ink stays readable on it in the light theme and in the dark one.
    opacities = 0.03 + 0.47 * shares / max(shares.max(), 1e-9)
    num_classes = len(expressions)
    with mpl.rc_context({**STYLE, "axes.grid": False, "xtick.bottom": False, "ytick.left": False}):
        figure, axes = empty_chart("Given label against prediction", height=370)
        axes.spines[:].set_visible(False)
        for (row, column), share in np.ndenumerate(shares):
            axes.add_patch(
                Rectangle(
                    (column - 0.48, row - 0.48), 0.96, 0.96,
                    facecolor=ACCENT, alpha=float(opacities[row, column]), linewidth=0,
                )
            )  # fmt: skip
            cell: dict[str, Any] = {"ha": "center", "weight": "bold" if row == column else "normal"}
            axes.text(column, row - 0.03, f"{matrix[row, column]:,}", va="bottom", **cell)
            known = percent(float(share), 0) if totals[row, 0] else UNKNOWN
            axes.text(column, row + 0.07, known, va="top", fontsize=11, **cell)
        axes.set(
            xlim=(-0.5, num_classes - 0.5), ylim=(num_classes - 0.5, -0.5),
            xlabel="prediction", ylabel="given label",
        )  # fmt: skip
        axes.set_xticks(
            range(num_classes), expressions, rotation=35, ha="right", rotation_mode="anchor"
        )
        axes.set_yticks(range(num_classes), expressions)
        return svg_of(
            figure, chart_id, "Confusion matrix: given labels in rows, predictions in columns"
        )


def roc_chart(curves: pd.DataFrame, *, aurocs: Mapping[str, float | None], chart_id: str) -> str:
    """Draws one ROC curve a class, each class against the rest.

    Args:
        curves: The points: `expression`, `false_positive_rate`, `true_positive_rate`, both 0 to 1.
        aurocs: The classes in order, with the area under each one's curve.
        chart_id: The start of all ids in the chart; no other chart on the page may have it.

    Returns:
        The chart, an `<svg>` element.
    """
    with mpl.rc_context(STYLE):
        figure, axes = empty_chart("ROC, each class against the rest", height=320)
        axes.plot((0, 1), (0, 1), color=MUTED, linewidth=1, linestyle=":")
        _draw_classes(axes, curves, ("false_positive_rate", "true_positive_rate"), aurocs)
        axes.set(xlabel="false positive rate", ylabel="true positive rate")
        axes.legend(
            loc="lower right", title="AUROC", labelspacing=0.3, handlelength=2.2, borderaxespad=0.2,
        )  # fmt: skip
        return svg_of(figure, chart_id, "ROC curves, one a class")


def precision_recall_chart(
    curves: pd.DataFrame, *, averages: Mapping[str, float | None], chart_id: str
) -> str:
    """Draws one precision-recall curve a class, each class against the rest.

    Args:
        curves: The points: `expression`, `recall`, `precision`, both 0 to 1.
        averages: The classes in order, with each one's average precision.
        chart_id: The start of all ids in the chart; no other chart on the page may have it.

    Returns:
        The chart, an `<svg>` element.
    """
    with mpl.rc_context(STYLE):
        figure, axes = empty_chart("Precision and recall", height=380)
        _draw_classes(axes, curves, ("recall", "precision"), averages)
        axes.set(
            xlabel="recall: faces of the class found", ylabel="precision: finds that are right"
        )
        # Below the axes: the curves fill all of them.
        axes.legend(
            loc="upper center", bbox_to_anchor=(0.44, -0.17), ncols=2, title="average precision",
            labelspacing=0.3, handlelength=2.2, columnspacing=1.6,
        )  # fmt: skip
        return svg_of(figure, chart_id, "Precision-recall curves, one a class")


def _draw_classes(
    axes: Axes, curves: pd.DataFrame, columns: tuple[str, str], areas: Mapping[str, float | None]
) -> None:
    """One curve a class, with its area in the legend; both axes are parts of 1."""
    for number, (expression, area) in enumerate(areas.items()):
        points = curves[curves["expression"] == expression]
        known = UNKNOWN if area is None else f"{area:.3f}"
        axes.plot(
            points[columns[0]], points[columns[1]],
            color=CLASS_COLOURS[number % len(CLASS_COLOURS)],
            linestyle=DASHES[number % len(DASHES)],
            linewidth=1.6, label=f"{expression} {known}",
        )  # fmt: skip
    axes.set(xlim=(0, 1), ylim=(0, 1.005))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MultipleLocator(0.25))
        axis.set_major_formatter(PercentFormatter(xmax=1, decimals=0))
