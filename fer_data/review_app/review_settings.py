"""What the review app can be told."""

from fer_data.stages.settings import Settings


class RelabelSettings(Settings):
    """Section `relabel`."""

    show_suggestion: bool
    """Whether the suggested expression shows at once, or only when the person asks for it."""


SECTIONS = {"relabel": RelabelSettings}
