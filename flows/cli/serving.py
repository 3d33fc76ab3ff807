"""Serves a page of a command until Ctrl-C ends it."""

import os
import signal
import threading
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import urlsplit


def until_interrupted(
    what: str,
    open_page: Callable[[], str],
    *,
    notes: Iterable[str] = (),
    farewell: Callable[[], Iterable[str]],
) -> None:
    """Opens a page, prints its address, and waits for Ctrl-C or a termination signal.

    Args:
        what: The page, such as `The review app`.
        open_page: Starts to serve; returns the address.
        notes: Lines to print below it.
        farewell: Gives the lines to print at the end.
    """
    # Said outright, since a shell lets what it starts in the background ignore Ctrl-C.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        address = open_page()
        lines = [f"{what}: {address} (Ctrl-C ends it)", *way_in(address), *notes]
        print(*lines, sep="\n", flush=True)
        threading.Event().wait()
    except KeyboardInterrupt:
        # No second one cuts short what puts things away as the process ends, such as uploaded images.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        print()
        for line in farewell():
            print(line, flush=True)


def way_in(address: str, environment: Mapping[str, str] = os.environ) -> list[str]:
    """Tells a person who came by SSH how their own browser reaches a page of this machine.

    Args:
        address: The page's, on the loopback device.
        environment: What SSH says in it: `SSH_CONNECTION` holds the addresses and ports of both ends.

    Returns:
        A line with the command to type on the other machine; none without SSH.
    """
    ends = environment.get("SSH_CONNECTION", "").split()
    if len(ends) != 4:
        return []
    *_, host, ssh_port = ends
    port, user = urlsplit(address).port, environment.get("USER")
    words = [
        "ssh",
        *(["-p", ssh_port] if ssh_port != "22" else []),
        "-L",
        f"{port}:127.0.0.1:{port}",
    ]
    words.append(f"{user}@{host}" if user else host)
    return [f"On the machine with your browser: `{' '.join(words)}`, then open {address} there."]
