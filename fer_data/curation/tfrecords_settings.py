"""Settings of the stage `tfrecords`."""

from pydantic import Field

from fer_data.stages.settings import Seed, Settings


class TfrecordsSettings(Settings):
    """Section `tfrecords`."""

    faces_per_shard: int = Field(ge=100)
    """How many records a file holds at most: 2.6 kB each."""
    seed: Seed
    """Seed of the order of the records, which is the same for all models."""


SECTIONS = {"tfrecords": TfrecordsSettings}
