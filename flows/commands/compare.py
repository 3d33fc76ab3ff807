"""Compares two archives: counts, classes and drift, with a result."""

from pathlib import Path

from rich.console import Console
from rich.table import Table

from fer_data.core.catalog import output
from fer_data.core.errors import UserError
from fer_data.validation.compare_archives import NEW, OLD, Comparison, compare, read_manifest


def show_comparison(old: Path, new: Path, *, max_drift: float, console: Console) -> None:
    """Compares two archives and prints tables.

    Args:
        old: The manifest of the one, or a workspace that holds it.
        new: The manifest of the other, or its workspace.
        max_drift: The drift that is no surprise, in standard deviations.
        console: Where to print.

    Raises:
        UserError: There are no such manifests; or a class is gone, or the faces have drifted.
    """
    comparison = compare(*(read_manifest(_manifest(path)) for path in (old, new)))
    for table in (_faces(comparison), _counts(comparison), _drifts(comparison)):
        console.print(table)
    problems = comparison.problems(max_drift=max_drift)
    if problems:
        raise UserError(f"{new} is not like {old}: {problems}")
    console.print(
        f"No class is gone, and nothing drifted by more than {max_drift:g} standard deviations.",
        highlight=False,
    )


def _manifest(path: Path) -> Path:
    return output("ingest", "manifest.parquet", workspace=path) if path.is_dir() else path


def _faces(comparison: Comparison) -> Table:
    table = Table("faces", OLD, NEW, title="Faces, by their pixels")
    for name, row in comparison.groups.iterrows():
        table.add_row(str(name), str(row[OLD]), str(row[NEW]))
    table.add_section()
    for name, count in comparison.faces.items():
        table.add_row(name, "", str(count))
    return table


def _counts(comparison: Comparison) -> Table:
    table = Table("folder and class", OLD, NEW, "change", title="Files")
    for name, row in comparison.counts.iterrows():
        change = f"{row[NEW] / row[OLD] - 1:+.1%}" if row[OLD] else "new"
        table.add_row(str(name), str(row[OLD]), str(row[NEW]), change)
    return table


def _drifts(comparison: Comparison) -> Table:
    table = Table("folder", "metric", "difference of means", "KS distance", title="Drift")
    for one in comparison.drifts:
        table.add_row(
            one.original_split, one.metric, f"{one.difference:+.3f} sd", f"{one.distance:.3f}"
        )
    return table
