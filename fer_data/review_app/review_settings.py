"""Settings of the review app."""

from fer_data.stages.settings import Settings


class ReviewAppSettings(Settings):
    """Section `review_app`."""

    show_suggestion: bool
    """Whether the suggested expression shows at once, or only when the person asks for it."""


SECTIONS = {"review_app": ReviewAppSettings}
