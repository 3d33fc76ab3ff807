"""`ferflow clean`: shows what nothing needs any more, and removes it."""

import shutil
from functools import partial
from pathlib import Path

from rich.console import Console

from fer_data.core.errors import UserError
from flows.housekeeping.clean import (
    cutoff_of,
    find_leftovers,
    leftovers_table,
    remove_leftovers,
    total,
    unknown,
)
from flows.housekeeping.leftovers import space_in_words
from flows.housekeeping.retention_settings import require_retention
from flows.pipeline.old_flow_runs import WHAT, flow_run_leftovers
from flows.workspace.client import require_git
from flows.workspace.flow_lock import one_at_a_time


def clean_workspace(workspace: Path, *, is_dry: bool, keep_days: int | None = None) -> None:
    """Cleans a workspace, its published runs and its Prefect server, and prints a table of it.

    Args:
        workspace: The workspace.
        is_dry: Whether nothing is removed.
        keep_days: In place of `retention.keep_days`.

    Raises:
        UserError: The workspace is outside of git, a flow runs in it, or a setting is wrong; something
            could not be removed; or nothing went, and something could not be looked at.
    """
    configured = require_retention(workspace).keep_days
    days = configured if keep_days is None else keep_days
    said = "retention.keep_days" if keep_days is None else "--keep-days"
    cutoff = cutoff_of(days)
    console = Console()
    say = partial(console.print, soft_wrap=True, highlight=False, markup=False)
    require_git(workspace, needs="tells what is still in use")
    with one_at_a_time(workspace):
        found = find_leftovers(workspace, cutoff=cutoff)
        try:
            found.append(flow_run_leftovers(workspace, cutoff=cutoff))
        except UserError as error:
            found.append(unknown(WHAT, error))
        console.print(leftovers_table(found, workspace=workspace, is_dry=is_dry))
        say(f"Young is what was made in the last {days} days ({said}).")
        unseen = "; ".join(f"{one.what}: {one.error}" for one in found if one.error)
        if not any(one.number for one in found):
            if unseen:
                raise UserError(f"nothing went, and not all could be looked at: {unseen}")
            say("Nothing is old and unneeded.")
            return
        if unseen:
            say(f"Not looked at, so all of it stays: {unseen}")
        if is_dry:
            say(f"{total(found)} would go; nothing was removed.")
            return
        failures = [f"{what}: {error}" for what, error in remove_leftovers(found)]
    if failures:
        raise UserError(f"not all could be removed: {'; '.join(failures)}")
    free = space_in_words(shutil.disk_usage(workspace).free)
    say(f"{total(found)} went; {free} are free now.")
