"""Serves a page of a command until Ctrl-C ends it."""

import signal
import threading
from collections.abc import Callable, Iterable


def until_interrupted(
    what: str, open_page: Callable[[], str], *, notes: Iterable[str] = (), farewell: str
) -> None:
    """Opens a page, prints its address, and waits for Ctrl-C or a termination signal.

    Args:
        what: The page, such as `The review app`.
        open_page: Starts to serve; returns the address.
        notes: Lines to print below it.
        farewell: The line to print at the end.
    """
    # Said outright, since a shell lets what it starts in the background ignore Ctrl-C.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        print(f"{what}: {open_page()} (Ctrl-C ends it)", *notes, sep="\n", flush=True)
        threading.Event().wait()
    except KeyboardInterrupt:
        # No second one cuts short what puts things away as the process ends, such as uploaded images.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        print(f"\n{farewell}", flush=True)
