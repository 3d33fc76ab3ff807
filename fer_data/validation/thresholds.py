"""The thresholds of the expectations."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Thresholds:
    """Thresholds of the expectations."""

    min_faces_per_class: int
    """How many faces each class has in each folder, at least."""
    low_contrast: float
    """The standard deviation, in gray levels, below which a face shows nothing."""
    max_brightness: float
    """The mean, in gray levels, above which an image is empty paper or a line of text."""
    max_two_tone: float
    """How near to black and white alone a face comes, see `facts.two_tone`; drawings come nearer."""
    max_drift: float
    """The drift of brightness and contrast, in standard deviations."""
    max_count_change: float
    """The change of a class's count in a folder since the accepted baseline, as a part of it."""
