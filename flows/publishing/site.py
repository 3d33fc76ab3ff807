"""Lists the files of the report site: pages, the files they link to, metrics, model cards."""

from collections.abc import Iterable
from pathlib import Path

from fer_data.core.catalog import output
from fer_data.core.errors import UserError
from fer_data.core.tables import missing, read_json
from flows.workspace.client import dvc

INDEX_PAGE = "index.html"
DATA_PAGE = "data_quality/index.html"
METRICS_NAME = "metrics.json"
CARD_NAME = "model_card.md"
VALIDATION_NAMES = ("summary.json", "great_expectations.json")
"""What the page of the data links to. All else that pages show is in the pages themselves."""


def site_files(workspace: Path) -> dict[str, Path]:
    """Lists what is published of a workspace's reports.

    Args:
        workspace: Where the stages have run.

    Returns:
        The files, by their names in the site: the paths below the folder of the models' report, so that
        the links between them keep working.

    Raises:
        UserError: A file is missing, or is a link to what is neither a report nor in DVC's cache, so
            that it may be a secret.
    """
    index = output("report", INDEX_PAGE, workspace=workspace)
    metrics = output("report", METRICS_NAME, workspace=workspace)
    validation = output("validate", "validate", workspace=workspace)
    files = [
        index,
        metrics,
        output("quality_report", INDEX_PAGE, workspace=workspace),
        *(validation / name for name in VALIDATION_NAMES),
        *(
            output(f"evaluate@{model}", model, workspace=workspace) / CARD_NAME
            for model in read_json(metrics)
        ),
    ]
    for file in files:
        if not file.is_file():
            raise missing(file)
    _check_links(files, index.parent, workspace=workspace)
    return {file.relative_to(index.parent).as_posix(): file for file in sorted(files)}


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
                "not published; `dvc repro` makes it again once it is deleted"
            )
