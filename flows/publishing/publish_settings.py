"""Section `publish` of `params.yaml`: where reports are published."""

from typing import Annotated

from pydantic import Field

from fer_data.stages.settings import Settings


class PublishSettings(Settings):
    """Section `publish`."""

    destination: Annotated[str, Field(min_length=1)] | None = Field(repr=False)
    """A URL for fsspec (`s3://bucket/folder`) or a path; None: nothing is published."""
    webhook: Annotated[str, Field(pattern=r"^(https?://\S+|\$[A-Za-z_]\w*)$")] | None = Field(
        repr=False
    )
    """Where failures are posted to: a URL, or `$NAME` of the environment variable that holds it."""


SECTIONS = {"publish": PublishSettings}
