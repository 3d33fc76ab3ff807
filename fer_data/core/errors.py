"""User errors, printed as one line without a traceback."""

import contextlib
import errno
import os
import re
import signal
import sys
from collections.abc import Iterator

_REMEDIES = {
    errno.EACCES: "see who may read and write it",
    errno.EDQUOT: "free some of your quota",
    errno.EEXIST: "expected a name that does not exist yet, below folders",
    errno.EISDIR: "expected a file",
    errno.EMFILE: "`ulimit -n` allows more",
    errno.ENAMETOOLONG: "expected a shorter name",
    errno.ENOSPC: "free some, and try again",
    errno.ENOTDIR: "expected folders above it",
    errno.EPERM: "see who may read and write it",
    errno.EROFS: "expected a place that can be written to",
}
"""What mends an error of the system, or what was expected instead."""
_UNFIT = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
"""What steers a terminal, save for tabs and ends of lines, and what is no letter at all."""
_BROKEN_PIPE = 128 + signal.SIGPIPE
"""The exit code of a program whose reader has gone, such as `head`."""


class UserError(Exception):
    """An error that a user can cause and mend: printed as one line, without a traceback."""


class InputsChangedError(UserError):
    """What a stage reads was edited while it ran: another run of it mends that."""


@contextlib.contextmanager
def told_in_one_line() -> Iterator[None]:
    """Ends the process with one line and exit code 1 where a user's mistake or the system stops it.

    That is a `UserError`, and any error of the operating system, such as missing rights, a full disk,
    or a file where a folder should be. A reader of the output that has gone ends it without a word.
    """
    try:
        yield
        if sys.stdout:
            sys.stdout.flush()  # here, where its errors are caught
    except BrokenPipeError:
        end = _BROKEN_PIPE
    except UserError as error:
        end = f"error: {shown(str(error))}"
    except SystemExit as chosen:
        # Rich turns the one into the other, with a code that stands for a mistake.
        end = _BROKEN_PIPE if isinstance(chosen.__context__, BrokenPipeError) else chosen.code
    except OSError as error:
        if error.errno is None:  # of a library, which may mean anything
            raise
        end = f"error: {in_words(error)}"
    else:
        return
    _give_up_output()
    sys.exit(end)


def in_words(error: OSError) -> str:
    """An error of the system in one line: what, where, and how it is mended."""
    names = [name for name in (error.filename, error.filename2) if name is not None]
    where = " -> ".join(one_line(os.fsdecode(name)) for name in names if not isinstance(name, int))
    parts = [error.strerror or str(error), where or "while reading or writing"]
    return ": ".join(parts + [_REMEDIES[number] for number in [error.errno] if number in _REMEDIES])


def shown(text: str) -> str:
    """A text that any terminal can print, and none obeys: with numbers for bytes that are no letters."""
    return _UNFIT.sub(lambda letter: _escaped(letter[0]), text)


def one_line(name: str) -> str:
    """A name of a stranger, with escapes for what would break a line or steer a terminal."""
    return "".join(letter if letter.isprintable() else _escaped(letter) for letter in name)


def _escaped(letter: str) -> str:
    if "\udc80" <= letter <= "\udcff":  # how Python keeps a byte that is not UTF-8
        return f"\\x{ord(letter) - 0xDC00:02x}"
    return letter.encode("unicode_escape").decode()


def _give_up_output() -> None:
    """Lets what is still buffered go nowhere: Python would try, and complain, as it ends."""
    try:
        number = sys.stdout.fileno()
    except (AttributeError, OSError, ValueError):  # closed, or no file, as in tests
        return
    try:
        sys.stdout.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, number)
        os.close(nowhere)
