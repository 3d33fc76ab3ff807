"""Draws reliability diagrams, and the accuracy on slices, as SVG, to be inlined in a page."""

from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.ticker import MaxNLocator, MultipleLocator, PercentFormatter

from fer_models.reporting.chart_style import ACCENT, MUTED, STYLE, empty_chart, svg_of


def reliability_chart(calibration: Mapping[str, Any], *, chart_id: str) -> str:
    """Draws accuracy against confidence, before and after the temperature.

    Args:
        calibration: As `fer_models.calibration.reliability.calibration` returns it.
        chart_id: The start of all ids in the chart; no other chart on the page may have it.

    Returns:
        The chart, an `<svg>` element; a dot's area tells how many faces it stands for.
    """
    with mpl.rc_context(STYLE):
        figure, axes = empty_chart("Is the confidence honest?", height=340)
        axes.plot((0, 1), (0, 1), color=MUTED, linewidth=1, linestyle=":")
        for name, words, color, dashes in (
            ("before", "as trained", MUTED, "--"),
            ("after", f"temperature {calibration['temperature']:.2f}", ACCENT, "-"),
        ):
            bins = calibration[name]["bins"]
            faces = np.array([one["faces"] for one in bins])
            confidences = [one["confidence"] for one in bins]
            accuracies = [one["accuracy"] for one in bins]
            error = calibration[name]["calibration_error"]["value"]
            axes.plot(
                confidences, accuracies, color=color, linestyle=dashes, linewidth=1.4,
                label=f"{words}: ECE {error:.3f}",
            )  # fmt: skip
            axes.scatter(
                confidences, accuracies, 6 + 900 * faces / faces.sum(), color, linewidths=0
            )
        axes.set(
            xlim=(0, 1), ylim=(0, 1.01), xlabel="stated confidence", ylabel="predictions that are right",
        )  # fmt: skip
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(MultipleLocator(0.25))
            axis.set_major_formatter(PercentFormatter(xmax=1, decimals=0))
        axes.legend(loc="upper left", labelspacing=0.3, handlelength=2.2, borderaxespad=0.2)
        return svg_of(figure, chart_id, "Reliability diagram: accuracy by stated confidence")


def slices_chart(slices: Mapping[str, Any], *, overall: float, chart_id: str) -> str:
    """Draws the accuracy on each quarter of the faces, with its interval.

    Args:
        slices: As `fer_models.evaluation.slices.accuracy_by_quarter` returns it.
        overall: The accuracy on all faces, 0 to 1; a dotted line marks it.
        chart_id: The start of all ids in the chart; no other chart on the page may have it.

    Returns:
        The chart, an `<svg>` element.
    """
    with mpl.rc_context(STYLE):
        figure, axes = empty_chart("Accuracy by quarter of the faces", height=470)
        axes.axvline(overall, color=MUTED, linewidth=1, linestyle=":")
        places: list[float] = []
        names: list[str] = []
        for group, (quality, quarters) in enumerate(slices.items()):
            words = quality.replace("_", " ")
            for number, quarter in enumerate(quarters):
                place = group * 4.8 + number
                low, value, high = (quarter["accuracy"][end] for end in ("low", "value", "high"))
                axes.plot((low, high), (place, place), color=ACCENT, alpha=0.45, linewidth=2.6)
                axes.plot(value, place, "o", color=ACCENT, markersize=6)
                places.append(place)
                ends = {0: f"least {words}", len(quarters) - 1: f"most {words}"}
                names.append(ends.get(number, "\N{MIDDLE DOT}"))
        axes.set_yticks(places, names)
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
        axes.set_xlabel("faces classified correctly, with 95% interval")
        axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        axes.xaxis.set_major_formatter(PercentFormatter(xmax=1, decimals=0))
        kinds = ", ".join(slices).replace("_", " ")
        return svg_of(figure, chart_id, f"Accuracy by quarter of {kinds}")
