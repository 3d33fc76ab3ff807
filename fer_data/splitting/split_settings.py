"""Settings of the stage `split`."""

from pydantic import Field

from fer_data.stages.settings import Seed, Settings


class SplitSettings(Settings):
    """Section `split`."""

    validation_fraction: float = Field(gt=0, le=0.5)
    """The part of Training that is kept for `validation`, of an archive without a Validation folder."""
    test_fraction: float = Field(default=0.2, gt=0, le=0.5)
    """The part of Training that becomes `test`, of an archive without a Testing folder."""
    num_folds: int = Field(ge=2, le=20)
    """How many folds `crossval` has: as many as `dvc.yaml` lists."""
    exclude_leaks: bool
    """Whether Training faces that a Testing face duplicates, exactly or nearly, are excluded; False is
    the paper's leaky protocol."""
    max_excluded_fraction: float = Field(ge=0, le=1)
    """The part of a class's Training faces that may be excluded as near-duplicates; past it the stage
    fails. Exact duplicates do not count: they are facts, near ones a matter of `min_correlation`."""
    min_correlation: float = Field(gt=0.5, le=1)
    """Pearson's correlation of two faces' pixels, from which on they count as near-duplicates."""
    seed: Seed


SECTIONS = {"split": SplitSettings}
