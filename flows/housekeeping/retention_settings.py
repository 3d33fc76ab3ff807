"""Section `retention` of `params.yaml`: what `ferflow clean` keeps, and when a disk is too full."""

from pathlib import Path

from pydantic import Field
from ruamel.yaml.comments import CommentedMap

from fer_data.core.errors import UserError
from fer_data.stages.settings import PARAMS_FILE, Settings, read_params, settings_from

SECTION = "retention"


class RetentionSettings(Settings):
    """Section `retention`. No stage reads it, so changing it reruns nothing."""

    keep_days: int = Field(ge=1)
    """What nothing needs any more stays for so long."""
    clean_after_flow: bool
    """Whether a flow run that went well ends with what `ferflow clean` does."""
    min_free_gb: float = Field(ge=0)
    """A flow run warns where its disks have less, in 10⁹ bytes."""


SECTIONS = {SECTION: RetentionSettings}


def retention_of(workspace: Path) -> RetentionSettings | None:
    """The section; None in a workspace of an earlier version, or without settings.

    Raises:
        SettingsError: A key of the section is wrong, or the file is broken.
    """
    file = workspace / PARAMS_FILE
    if not file.exists():
        return None
    params = read_params(file)
    if params.get(SECTION) is None:
        return None
    return settings_from(params, RetentionSettings, SECTION, file=file)


def require_retention(workspace: Path) -> RetentionSettings:
    """The section, for a command that removes things by it.

    Raises:
        UserError: As `retention_of`; or there is no such file or section.
    """
    found = retention_of(workspace)
    if found is None:
        file = workspace / PARAMS_FILE
        read_params(file)  # says so where there is none
        raise UserError(f"{file} has no section '{SECTION}': `ferflow upgrade` adds it")
    return found


def add_section(params: CommentedMap) -> list[str]:
    """Adds the section to the settings of an earlier version, as a new workspace has it.

    Args:
        params: The whole of the file, with its comments; changed in place.

    Returns:
        What was done, in words; nothing where the section is there, or where nothing is published.
    """
    if SECTION in params or "publish" not in params:
        return []
    params[SECTION] = CommentedMap(keep_days=60, clean_after_flow=False, min_free_gb=2)
    params.yaml_set_comment_before_after_key(SECTION, before="\nSee docs/guide/operating.md.")
    return [f"the section '{SECTION}' is new: what `ferflow clean` keeps"]
