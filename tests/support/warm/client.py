"""Asks the warm process to run a program, and ends as it does; what it cannot run begins as ever.

It is to begin within a hundredth of a second, so it imports next to nothing.
"""

import json
import os
import signal
import socket
import sys


def main() -> None:
    """Runs what this script was called as: `python -m MODULE`, `dvc` or `ferflow`."""
    folder, _, name = sys.argv[0].rpartition("/")
    words = sys.argv[1:]
    if name == "python" and words[:1] != ["-m"]:
        os.execv(f"{sys.executable.rpartition('/')[0]}/{name}", [name, *words])
    server = socket.socket(socket.AF_UNIX)
    server.connect(f"{folder}/socket")
    sent = {int(number): number for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    sent[signal.SIGUSR1] = signal.SIGKILL  # which this process could not pass on
    for number in sent:
        signal.signal(number, lambda number, _: server.sendall(bytes([sent[number]])))
    folder = os.getcwd()  # noqa: PTH109 # pathlib alone would take as long as all of this
    request = {"words": [name, *words], "folder": folder, "environment": dict(os.environ)}
    socket.send_fds(server, [json.dumps(request).encode(), b"\n"], [0, 1, 2])
    code = int(server.recv(16) or 1)
    if code < 0:
        if -code != signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


main()
