"""The runs at a destination, each with a record of its files and metrics, and which is the latest.

A run is `runs/RUN/` with a `publication.json`, written when all else has arrived. The latest run is the
one that `latest/index.html` names, for people (it forwards to the run's pages) and for the next
publication: one small file, so that switching is one step wherever it lies.
"""

import hashlib
import re
from collections.abc import Mapping

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from fer_data.core.errors import UserError
from fer_models.reporting.outcomes import Outcomes
from flows.publishing.run_metrics import MetricValue
from flows.publishing.site import DATA_PAGE, INDEX_PAGE
from flows.publishing.storage import Destination

RECORD_NAME = "publication.json"
RUNS = "runs"
LATEST_NAME = "latest/index.html"
HELD_BACK_NAME = "latest/held-back.txt"
"""Names the last run that was stored without becoming the latest: the same reports are stored once."""
ROLLED_BACK_NAME = "latest/rolled-back.txt"
"""Names runs that a person went back from, a line each: equal reports do not become the latest again."""
_NAMED_RUN = re.compile(rb'<meta name="ferflow-run" content="([\w.-]+)">')
_LATEST_PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="ferflow-run" content="{run}">
<meta http-equiv="refresh" content="0; url=../runs/{run}/{models}">
<title>Ferflow: the latest run</title>
<p>The latest run is {run}: <a href="../runs/{run}/{models}">its models</a>,
<a href="../runs/{run}/{data}">its data</a>.</p>
"""


class Record(BaseModel):
    """A published run: metrics, hashes of its files, outcomes."""

    model_config = ConfigDict(frozen=True, strict=True)

    run: str
    at: str
    """When, in UTC."""
    metrics: dict[str, dict[str, dict[str, MetricValue]]] = Field(
        validation_alias=AliasChoices("metrics", "figures")  # which earlier versions wrote
    )
    """By model, split and metric."""
    files: dict[str, str]
    """The SHA-256 of each file of the site, by its name."""
    outcomes: dict[str, Outcomes] = {}
    """By model, which validation faces were predicted rightly. Earlier versions kept none."""


def record_of(
    contents: Mapping[str, bytes],
    metrics: dict[str, dict[str, dict[str, MetricValue]]],
    outcomes: dict[str, Outcomes],
    *,
    run: str,
    at: str,
) -> Record:
    """The record of a site's files, by name, and of a run's metrics and outcomes."""
    files = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    return Record(run=run, at=at, metrics=metrics, files=files, outcomes=outcomes)


def is_run_name(name: str) -> bool:
    """Whether a run can have a name: up to 100 letters, digits, dots, underscores and hyphens."""
    return bool(re.fullmatch(r"\w[\w.-]{0,99}", name, flags=re.ASCII))


def store_run(contents: Mapping[str, bytes], record: Record, *, destination: Destination) -> None:
    """Copies a run's site, the record last; a run that was copied in part is completed.

    Raises:
        UserError: A run of this name is stored with other files, or the destination cannot be reached.
    """
    stored = read_record(record.run, destination=destination)
    if stored is not None and stored.files != record.files:
        raise UserError(
            f"{destination.url(_folder(record.run))} holds other files, published at {stored.at}: "
            "choose another name for this run"
        )
    for name, content in contents.items():
        destination.put(f"{_folder(record.run)}/{name}", content)
    if stored is None:
        text = record.model_dump_json(indent=2) + "\n"
        destination.put(f"{_folder(record.run)}/{RECORD_NAME}", text.encode())


def read_record(run: str, *, destination: Destination) -> Record | None:
    """The record of a run; None if there is none, so that the run is not stored, or not all of it.

    Raises:
        UserError: The record is broken, or the destination cannot be reached.
    """
    name = f"{_folder(run)}/{RECORD_NAME}"
    text = destination.read(name)
    try:
        return None if text is None else Record.model_validate_json(text)
    except ValidationError:
        raise UserError(f"{destination.url(name)} is no record of a run: move it away") from None


def latest_run(destination: Destination) -> str | None:
    """The name of the latest run; None before the first one.

    Raises:
        UserError: The page of the latest run is not ours, or the destination cannot be reached.
    """
    page = destination.read(LATEST_NAME)
    if page is None:
        return None
    named = _NAMED_RUN.search(page)
    if named is None:
        raise UserError(f"{destination.url(LATEST_NAME)} names no run: move it away")
    return named[1].decode()


def make_latest(run: str, *, destination: Destination) -> None:
    """Makes a run the latest: replaces the page that names it, in one step.

    Raises:
        UserError: The destination cannot be reached; the page names the run that it named.
    """
    page = _LATEST_PAGE.format(run=run, models=INDEX_PAGE, data=DATA_PAGE)
    destination.replace(LATEST_NAME, page.encode())


def held_back(destination: Destination) -> Record | None:
    """The record of the last run that was held back; None if there is none.

    Raises:
        UserError: The record is broken, or the destination cannot be reached.
    """
    named = named_runs(HELD_BACK_NAME, destination=destination)
    return read_record(named[0], destination=destination) if len(named) == 1 else None


def hold_back(run: str, *, destination: Destination) -> None:
    """Records a run that is stored without becoming the latest.

    Raises:
        UserError: The destination cannot be reached.
    """
    destination.replace(HELD_BACK_NAME, f"{run}\n".encode())


def rolled_back(destination: Destination) -> list[Record]:
    """The records of the runs that somebody went back from, as far as they are there.

    Raises:
        UserError: A record is broken, or the destination cannot be reached.
    """
    names = named_runs(ROLLED_BACK_NAME, destination=destination)
    records = [read_record(name, destination=destination) for name in names]
    return [record for record in records if record is not None]


def mark_rolled_back(*, left: str | None, chosen: str, destination: Destination) -> None:
    """Records that somebody went from a run to another one.

    Args:
        left: The run that was the latest; None marks nothing.
        chosen: The latest run now, which is marked no more.
        destination: Where they are stored.

    Raises:
        UserError: The destination cannot be reached.
    """
    before = named_runs(ROLLED_BACK_NAME, destination=destination)
    names = [name for name in before if name not in (left, chosen)] + ([left] if left else [])
    if names != before:
        destination.replace(ROLLED_BACK_NAME, "".join(f"{name}\n" for name in names).encode())


def named_runs(file: str, *, destination: Destination) -> list[str]:
    """The names of runs in `HELD_BACK_NAME` or `ROLLED_BACK_NAME`; what cannot be one is left out.

    Raises:
        UserError: The destination cannot be reached.
    """
    lines = (destination.read(file) or b"").decode("ascii", "replace").splitlines()
    return [line.strip() for line in lines if is_run_name(line.strip())]


def site_url(run: str, *, destination: Destination) -> str:
    """The URL of a run's folder."""
    return destination.url(_folder(run))


def _folder(run: str) -> str:
    return f"{RUNS}/{run}"
