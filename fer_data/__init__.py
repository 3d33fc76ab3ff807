"""Faces and their labels, from the archive to TFRecords."""

import sys
import time
from importlib.util import find_spec

IMPORTED_AT = time.time_ns()
"""When this process began to import this package, in nanoseconds since 1970."""

if find_spec("pydantic") is None:  # such as the system's, which DVC runs outside of our environment
    sys.exit(
        f"error: {sys.executable} is not the Python that Ferflow is installed for: activate its "
        "environment first (`source .venv/bin/activate`), then run the command again"
    )

from fer_data import missing_packages, tensorflow_start  # noqa: E402 # after the clock was read

missing_packages.tell_of_stages()
tensorflow_start.install()
