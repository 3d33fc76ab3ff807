"""Settings of the stage `validate`."""

from pydantic import Field

from fer_data.stages.settings import Settings


class ValidateSettings(Settings):
    """Section `validate`."""

    min_faces_per_class: int = Field(ge=1)
    """How many faces each class has in each folder, at least."""
    low_contrast: float = Field(ge=0)
    """The standard deviation of a face's pixels, in gray levels, below which it shows nothing."""
    max_brightness: float = Field(gt=0, le=255)
    """The mean of a face's pixels, in gray levels, above which it is empty paper or a line of text."""
    max_two_tone: float = Field(gt=0, le=1)
    """How near to black and white alone a face comes, 0 to 1; drawings come nearer."""
    max_drift: float = Field(gt=0)
    """Brightness and contrast of Testing against Training, and since the accepted baseline, in standard
    deviations of what it is compared with."""
    max_count_change: float = Field(gt=0)
    """A class's count in a folder since the accepted baseline, as a part of it."""


SECTIONS = {"validate": ValidateSettings}
