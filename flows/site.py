"""Which files make up the report site: pages, what they link to, metrics, model cards."""

import logging
import os
import re
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from fer_data.artifacts import output
from fer_data.tables import missing, read_json

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
        UserError: A report or the metrics are missing.
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
            if target.is_relative_to(index.parent) and target.is_file():
                waiting.append(target)
            elif target.exists():
                logger.warning("%s links to %s, which is not published", file, target)
    return {file.relative_to(index.parent).as_posix(): file for file in sorted(found)}


def _model_cards(models: Iterable[str], *, workspace: Path) -> Iterator[Path]:
    for model in models:
        card = output(f"evaluate@{model}", model, workspace=workspace) / CARD_NAME
        if card.is_file():
            yield card


def _targets(file: Path) -> Iterator[Path]:
    """The paths that a page links to by relative addresses."""
    if file.suffix == ".html":
        reader = _LinkReader()
        reader.feed(file.read_text(encoding="utf-8"))
        yield from _resolved(file, reader.links)
    elif file.suffix == ".md":
        text = file.read_text(encoding="utf-8")
        yield from _resolved(file, re.findall(r"\]\(([^)\s]+)", text))


def _resolved(file: Path, links: Iterable[str]) -> Iterator[Path]:
    for link in links:
        address = urlsplit(link)
        if address.path and not (address.scheme or address.netloc):
            # By its name alone: DVC may have linked the file itself to its cache.
            yield Path(os.path.normpath(file.parent / unquote(address.path)))


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
