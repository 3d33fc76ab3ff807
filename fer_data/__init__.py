"""What a face and its label are, and how they reach TFRecords."""

import time

IMPORTED_AT = time.time_ns()
"""When this process began to import code of ours, in nanoseconds since 1970."""

from fer_data import tensorflow_start  # noqa: E402 # after the clock was read

tensorflow_start.install()
