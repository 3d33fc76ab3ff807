"""Settings of the stage `quality_report`."""

from pydantic import Field

from fer_data.stages.settings import Settings


class QualityReportSettings(Settings):
    """Section `quality_report`."""

    max_faces: int = Field(ge=0, le=2000)
    """How many faces of the review queue are shown as images, 3 kB each; lowest label quality first."""
    max_pairs: int = Field(ge=0, le=300)
    """How many groups of duplicates are shown of each sort: conflicting, leaks, and harmless ones."""


SECTIONS = {"quality_report": QualityReportSettings}
