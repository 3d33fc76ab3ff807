"""What the tests of the suite and of its stage share."""

import pandas as pd
import pytest

from tests.support.data.manifests import plain_manifest


@pytest.fixture(scope="module")
def good() -> pd.DataFrame:
    manifest, _ = plain_manifest()
    return manifest
