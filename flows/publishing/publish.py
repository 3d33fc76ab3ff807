"""Publishes a run's report site: copied and checked first, `latest` last, never over a better run."""

from dataclasses import dataclass
from pathlib import Path

from fer_data.annotation.pending_decisions import waiting
from fer_data.core.clock import now
from fer_data.core.errors import UserError
from fer_data.stages.settings import PARAMS_FILE, read_settings
from fer_models.reporting.report_settings import ReportSettings
from flows.publishing.metric_gate import MetricChange, accuracy_against, changes
from flows.publishing.publish_settings import PublishSettings
from flows.publishing.run_metrics import outcomes_by_model, read_metrics, read_validation
from flows.publishing.runs import (
    LATEST_NAME,
    Record,
    held_back,
    hold_back,
    is_run_name,
    latest_run,
    make_latest,
    mark_rolled_back,
    read_record,
    record_of,
    rolled_back,
    site_url,
    store_run,
)
from flows.publishing.site import site_files
from flows.publishing.storage import Destination


@dataclass(frozen=True)
class Published:
    """A run whose reports lie at the destination."""

    run: str
    """Its name."""
    site: str
    """The URL of its folder."""
    latest_url: str
    """The page that leads to the latest run."""
    previous: str | None
    """The run that was the latest before; None if none was."""
    changes: tuple[MetricChange, ...]
    """The metrics beside those of `previous`."""
    is_latest: bool
    """Whether this run is the latest now."""
    waiting: tuple[str, ...] = ()
    """Decisions that are not in these reports, with their remedies."""
    was_held_back: bool = False
    """Whether an earlier publication stored these reports and held them back: `run` is that one."""
    was_rolled_back: bool = False
    """Whether somebody went back from these reports: `run` is the one that was the latest."""

    @property
    def is_new(self) -> bool:
        """Whether the latest run was another one; if not, it held the same reports already."""
        return self.run != self.previous

    @property
    def regressions(self) -> tuple[MetricChange, ...]:
        """What keeps a run from being the latest unless it is forced."""
        return tuple(change for change in self.changes if change.is_regression)

    @property
    def outcome(self) -> str:
        """What was done, in one line."""
        if not self.is_new:
            return (
                f"nothing new: the latest run, {self.run}, holds these reports: {self.latest_url}"
            )
        if self.is_latest:
            return (
                f"{self.run} is the latest run, after {self.previous or 'none'}: {self.latest_url}"
            )
        if self.was_rolled_back:
            return (
                f"nothing new: {self.run} holds these reports, which somebody rolled back, and the "
                f"latest run stays {self.previous}"
            )
        words = "; ".join(map(str, self.regressions))
        if self.was_held_back:
            return (
                f"nothing new: {self.run} holds these reports, and the latest run stays "
                f"{self.previous}: {words}"
            )
        return f"{self.run} is stored, but the latest run stays {self.previous}: {words}"


def publish(
    workspace: Path, *, settings: PublishSettings, run_name: str, force: bool = False
) -> Published:
    """Publishes the reports to `DESTINATION/runs/RUN_NAME/`, as the latest run unless it is worse.

    It is worse if a model's accuracy on validation fell by more than other faces and another seed
    explain (`metric_gate`), or if a model of the latest run is gone. Done again, it completes what was
    copied in part, and moves `latest` at most; reports that the latest run holds, or the last one that
    was held back, are not stored twice.

    Args:
        workspace: Where the stages have run.
        settings: Where to publish to.
        run_name: Up to 100 letters, digits, dots, underscores and hyphens.
        force: Whether the run becomes the latest even so.

    Returns:
        Where the run lies, how its metrics moved, and whether it is the latest.

    Raises:
        UserError: A report is missing, the destination cannot be reached, or holds another run of this
            name; the latest run is then what it was.
    """
    destination = destination_of(settings, workspace=workspace)
    if not is_run_name(run_name):
        raise UserError(
            f"no run can be named '{run_name}': expected up to 100 letters, digits, '.', '_' and '-'"
        )
    metrics = read_metrics(workspace)
    predictions = read_validation(workspace, metrics)
    seed_spread = read_settings(ReportSettings, "report", file=workspace / PARAMS_FILE).seed_spread
    contents = {name: file.read_bytes() for name, file in site_files(workspace).items()}
    record = record_of(contents, metrics, outcomes_by_model(predictions), run=run_name, at=now())
    previous = latest_run(destination)
    before = _record_of(previous, destination=destination, force=force)
    then, outcomes = (before.metrics, before.outcomes) if before else ({}, {})
    tested = accuracy_against(
        then, outcomes, now=metrics, predictions=predictions, seed_spread=seed_spread
    )
    moved = tuple(changes(metrics, then, tested))
    is_latest = force or not any(change.is_regression for change in moved)
    held = held_back(destination)
    left = [one.run for one in rolled_back(destination) if one.files == record.files]
    was_held_back = was_rolled_back = False
    if before and before.files == record.files:
        run_name, is_latest = before.run, True
    else:
        if left:
            run_name, is_latest, was_rolled_back = left[-1], force, True
        elif held and held.run != run_name and held.files == record.files:
            run_name, was_held_back = held.run, True
        else:
            store_run(contents, record, destination=destination)
        if is_latest:
            make_latest(run_name, destination=destination)
            mark_rolled_back(left=None, chosen=run_name, destination=destination)
        elif not (was_held_back or was_rolled_back):
            hold_back(run_name, destination=destination)
    return Published(
        run=run_name,
        site=site_url(run_name, destination=destination),
        latest_url=destination.url(LATEST_NAME),
        previous=previous,
        changes=moved,
        is_latest=is_latest,
        waiting=tuple(waiting(workspace)),
        was_held_back=was_held_back,
        was_rolled_back=was_rolled_back,
    )


def destination_of(settings: PublishSettings, *, workspace: Path) -> Destination:
    """Opens the destination of the settings.

    Raises:
        UserError: There is none, or it cannot be opened.
    """
    if settings.destination is None:
        raise UserError(
            "publish.destination of params.yaml is null: expected a folder, or a URL such as "
            "s3://bucket/ferflow"
        )
    return Destination(settings.destination, workspace=workspace)


def name_by_time() -> str:
    """A name for a run that has none of its own: `2026-01-31T100000Z`."""
    return now().replace(":", "")


def _record_of(run: str | None, *, destination: Destination, force: bool) -> Record | None:
    record = None if run is None else read_record(run, destination=destination)
    if run is not None and record is None and not force:
        raise UserError(
            f"the latest run at {destination.address} is {run}, whose record is gone: with nothing to "
            "compare this run with, it becomes the latest only if forced"
        )
    return record
