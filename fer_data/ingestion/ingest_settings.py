"""Settings of the stage `ingest`."""

from pydantic import Field

from fer_data.stages.settings import Settings


class IngestSettings(Settings):
    """Section `ingest`."""

    max_rejected_fraction: float = Field(ge=0, le=1)
    """The part of the members, junk aside, that may be refused before the stage fails."""
    resize: bool
    """Whether images of another size are scaled to 48x48 or refused."""
    max_member_bytes: int = Field(ge=1_000, le=100_000_000)
    """Unpacked size of one member; a larger one is refused."""
    max_total_bytes: int = Field(ge=1_000, le=1_000_000_000_000)
    """Unpacked size of the archive; a larger one stops the stage."""
    max_compression_ratio: float = Field(ge=1, le=2_000)
    """Unpacked size over packed size of the archive; a larger one stops the stage."""
    max_members: int = Field(ge=1, le=100_000_000)
    """Number of the archive's entries; more stop the stage."""


SECTIONS = {"ingest": IngestSettings}
