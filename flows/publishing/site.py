"""Which files make up the report site: pages, what they link to, metrics, model cards."""

import logging
import os
import re
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from fer_data.core.catalog import output
from fer_data.core.errors import UserError
from fer_data.core.tables import missing, read_json
from flows.workspace.client import dvc

logger = logging.getLogger(__name__)

INDEX_PAGE = "index.html"
DATA_PAGE = "data_quality/index.html"
METRICS_NAME = "metrics.json"
CARD_NAME = "model_card.md"


def site_files(workspace: Path) -> dict[str, Path]:
    """Finds what is published of a workspace's reports.

    Args:
        workspace: Where the stages have run.

    Returns:
        The files, by their names in the site: the paths below the folder of the models' report, so that
        the links between them keep working. What a link finds outside of that folder, and a folder
        that it names, is left out and logged; links that are dead already stay so.

    Raises:
        UserError: A report or the metrics are missing, a page is not in UTF-8, or a file is a link
            to what is neither a report nor in DVC's cache, so that it may be a secret.
    """
    index = output("report", INDEX_PAGE, workspace=workspace)
    metrics = output("report", METRICS_NAME, workspace=workspace)
    needed = [index, output("quality_report", INDEX_PAGE, workspace=workspace), metrics]
    for file in needed:
        if not file.is_file():
            raise missing(file)
    waiting = [*needed, *_model_cards(read_json(metrics), workspace=workspace)]
    found: set[Path] = set()
    while waiting:
        file = waiting.pop()
        found.add(file)
        for target in set(_targets(file)) - found:
            try:
                is_there, is_file = target.exists(), target.is_file()
            except OSError as error:  # such as a name that is too long for any file
                logger.warning(
                    "%s links to what cannot be found (%s): %s",
                    file,
                    error.strerror,
                    _short(target),
                )
                continue
            if target.is_relative_to(index.parent) and is_file:
                waiting.append(target)
            elif is_there:
                logger.warning("%s links to %s, which is not published", file, target)
    _check_links(found, index.parent, workspace=workspace)
    return {file.relative_to(index.parent).as_posix(): file for file in sorted(found)}


def _model_cards(models: Iterable[str], *, workspace: Path) -> Iterator[Path]:
    for model in models:
        card = output(f"evaluate@{model}", model, workspace=workspace) / CARD_NAME
        if card.is_file():
            yield card


def _check_links(files: Iterable[Path], reports: Path, *, workspace: Path) -> None:
    """Refuses links out of the reports, save DVC's own to its cache, wherever that lies."""
    strangers = [file for file in files if not file.resolve().is_relative_to(reports.resolve())]
    if not strangers:
        return
    try:
        cache = Path(dvc("cache", "dir", cwd=workspace).strip())
    except UserError:  # a workspace without DVC has no cache
        cache = workspace / ".dvc/cache"
    for file in sorted(strangers):
        if not file.resolve().is_relative_to(cache.resolve()):
            raise UserError(
                f"{file} is a link to {file.resolve()}, which is neither a report nor in DVC's cache: "
                "not published; `dvc repro` makes it anew once it is deleted"
            )


def _targets(file: Path) -> Iterator[Path]:
    """The paths that a page links to by relative addresses."""
    if file.suffix not in (".html", ".md"):
        return
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{file} is not in UTF-8 (byte {error.start}): `dvc repro` makes it anew once it is deleted"
        ) from None
    if file.suffix == ".html":
        reader = _LinkReader()
        reader.feed(text)
        yield from _resolved(file, reader.links)
    else:
        yield from _resolved(file, re.findall(r"\]\(([^)\s]+)", text))


def _resolved(file: Path, links: Iterable[str]) -> Iterator[Path]:
    for link in links:
        try:
            address = urlsplit(link)
        except ValueError as error:  # such as `http://[x`
            logger.warning("%s links to what is no address (%s): %s", file, error, _short(link))
            continue
        if address.path and not (address.scheme or address.netloc):
            # By its name alone: DVC may have linked the file itself to its cache.
            yield Path(os.path.normpath(file.parent / unquote(address.path)))


def _short(text: object) -> str:
    """What a line of a log holds of it."""
    return f"{str(text)[:100]!r}"


class _LinkReader(HTMLParser):
    """Collects what `href` and `src` name."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        self.links += [
            value
            for name, value in attrs
            if name in ("href", "src") and value and not value.startswith("data:")
        ]
