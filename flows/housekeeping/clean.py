"""Cleans a workspace: finds what nothing needs any more, shows it, and removes it."""

import logging
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from fer_data.core.errors import UserError
from fer_data.stages.settings import PARAMS_FILE, read_params, settings_from
from flows.execution.ray_worker import node_folder, node_place
from flows.housekeeping.dvc_cache import cache_leftovers
from flows.housekeeping.leftovers import NOTHING, Leftovers, counted, space_in_words
from flows.housekeeping.retention_settings import retention_of
from flows.housekeeping.work_folders import (
    checkpoint_leftovers,
    clone_leftovers,
    clones_of,
    node_leftovers,
)
from flows.publishing.old_runs import NUM_NEWEST, old_runs, remove_run, stored_runs
from flows.publishing.publish import destination_of
from flows.publishing.publish_settings import PublishSettings
from flows.publishing.runs import RUNS

Logger = logging.Logger | logging.LoggerAdapter[Any]


def cutoff_of(keep_days: int) -> datetime:
    """The moment before which what nothing needs may go."""
    return datetime.now(UTC) - timedelta(days=keep_days)


def find_leftovers(workspace: Path, *, cutoff: datetime) -> list[Leftovers]:
    """Finds what may go, kind by kind, in the order in which it is to go. Nothing is removed.

    Args:
        workspace: The workspace, locked against flows (`flow_lock.one_at_a_time`).
        cutoff: What is younger stays.

    Returns:
        The kinds. One that cannot be looked at, such as a destination that does not answer, has nothing
        that may go, and says why.
    """

    def of_cache() -> list[Leftovers]:
        staying = [path for path in clones_of(workspace) if (path / ".dvc").is_dir()]
        return cache_leftovers(workspace, cutoff=cutoff, clones=staying)

    def of_node() -> list[Leftovers]:
        is_there = node_place().exists()
        return node_leftovers(node_folder(), cutoff=cutoff) if is_there else []

    kinds: dict[str, Callable[[], list[Leftovers]]] = {
        "clones of experiments": lambda: [clone_leftovers(workspace, cutoff=cutoff)],
        "checkpoints": lambda: [checkpoint_leftovers(workspace, cutoff=cutoff)],
        "cached outputs": of_cache,
        "Ray's stages": of_node,
        "published runs": lambda: published_leftovers(workspace, cutoff=cutoff),
    }
    found: list[Leftovers] = []
    for what, find in kinds.items():
        try:
            found += find()
        except UserError as error:
            found.append(unknown(what, error))
    return found


def unknown(what: str, error: UserError) -> Leftovers:
    """A kind of which nothing may go, since it could not be looked at."""
    words = str(error)
    return Leftovers(what, "", 0, 0, f"all, since it cannot be told: {words}", error=words)


def clean_after_flow(workspace: Path, *, logger: Logger) -> None:
    """Cleans a workspace at the end of a flow run, where `retention.clean_after_flow` says so.

    Args:
        workspace: The workspace, which the flow holds.
        logger: Gets a line of what went, and one for each thing that could not be removed.
    """
    try:
        retention = retention_of(workspace)
        if retention is None or not retention.clean_after_flow:
            return
        found = find_leftovers(workspace, cutoff=cutoff_of(retention.keep_days))
    except (UserError, OSError) as error:
        logger.warning("not cleaned: %s", error)
        return
    failures = dict(remove_leftovers(found))
    for one in found:
        if one.error:
            logger.warning("not looked at: %s: %s", one.what, one.error)
    for what, error in failures.items():
        logger.warning("not removed: %s: %s", what, error)
    went = [
        f"{one.number:,} {one.what} ({space_in_words(one.num_bytes or 0)})"
        for one in found
        if one.number and one.what not in failures
    ]
    if went or not (failures or any(one.error for one in found)):
        logger.info("cleaned: %s", ", ".join(went) or "nothing was old and unneeded")


def published_leftovers(workspace: Path, *, cutoff: datetime) -> list[Leftovers]:
    """Finds published runs that may go; none where nothing is published.

    Raises:
        UserError: The destination cannot be reached, or a record there is broken.
    """
    file = workspace / PARAMS_FILE
    params = read_params(file)
    if params.get("publish") is None:
        return []
    settings = settings_from(params, PublishSettings, "publish", file=file)
    if settings.destination is None:
        return []
    destination = destination_of(settings, workspace=workspace)
    runs = stored_runs(destination)
    going = old_runs(runs, cutoff=cutoff, destination=destination)
    sizes = [destination.sizes(f"{RUNS}/{name}") for name in going]
    marked = [f"{run.name} is {' and '.join(run.marks)}" for run in runs if run.marks]
    num_kept = len(runs) - len(going)
    words = f"{counted(num_kept, 'run')}, young, of the newest {NUM_NEWEST}, or named here"
    stays = "; ".join([words, *marked]) if runs else NOTHING

    def remove() -> None:
        for name in going:
            remove_run(name, destination=destination)

    num_bytes = sum(size for files in sizes for size in files.values())
    place = destination.url(RUNS)
    return [Leftovers("published runs", place, len(going), num_bytes, stays, remove)]


def remove_leftovers(found: Sequence[Leftovers]) -> Iterator[tuple[str, str]]:
    """Removes what may go, kind by kind.

    Yields:
        The kinds of which something could not be removed, with the reason; the others go all the same.
    """
    for one in found:
        if one.number:
            try:
                one.remove()
            except (UserError, OSError) as error:
                yield one.what, str(error)


def leftovers_table(found: Sequence[Leftovers], *, workspace: Path, is_dry: bool) -> Table:
    """A table of what may go and what stays.

    Args:
        found: What was found.
        workspace: Paths below it are shown from there on.
        is_dry: Whether nothing is removed.
    """
    table = Table("what, where", "would go" if is_dry else "goes", "space", "stays, and why")
    for one in found:
        place = _shown(one.where, workspace=workspace)
        space = "?" if one.num_bytes is None else space_in_words(one.num_bytes)
        going = (f"{one.number:,}", space) if one.number else ("-", "-")
        table.add_row(escape(f"{one.what}\n{place}"), *going, escape(one.stays))
    for column, style in zip(table.columns, ("left", "right", "right", "left"), strict=True):
        column.justify = style
        column.no_wrap = style == "right"
        column.overflow = "fold"
    return table


def total(found: Sequence[Leftovers]) -> str:
    """How many go in all, and how much space they take: `21 things, 6.7 MB,`."""
    number = counted(sum(one.number for one in found), "thing")
    return f"{number}, {space_in_words(sum(one.num_bytes or 0 for one in found))},"


def _shown(where: str, *, workspace: Path) -> str:
    path = Path(where)
    root = workspace.resolve()
    return str(path.relative_to(root)) if path.is_relative_to(root) else where
