"""Lets TensorFlow and Keras start lightly: without libraries that nobody here uses, and quietly.

Where scikit-learn and Matplotlib are installed, `import tensorflow` imports both, for Keras's wrappers
of estimators and its galleries of images: three tenths of what a stage waits before its first line.
Keras does without either; the stages that compute or draw with them import them by themselves.

While it is imported, TensorFlow says on the standard error that it uses the processor well, whatever
`TF_CPP_MIN_LOG_LEVEL` says (tensorflow/tensorflow#100442). Those lines are left out, and no others. That
level is 2 here, errors alone, where the environment asks for nothing else.

Of a GPU's memory a process takes what it needs, not all at once, so that others can use it beside.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType

_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
_GREETINGS = (
    "All log messages before absl::InitializeLog() is called are written to STDERR",
    "oneDNN custom operations are on.",
    "This TensorFlow binary is optimized to use available CPU instructions",
    "To enable the following instructions:",
)
_SIEVE_SECONDS = 5.0
"""How long to wait for the last lines, if a process that was begun meanwhile keeps the sieve open."""
_SIEVE = """
import sys
unwanted = [words.encode() for words in sys.argv[1:]]
for line in sys.stdin.buffer:
    if not any(words in line for words in unwanted):
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
"""


@contextmanager
def _without(library: str) -> Iterator[None]:
    """Hides a library, as if it were not installed; one that is imported already stays."""
    if library in sys.modules:
        yield
        return
    sys.modules[library] = None  # pyright: ignore[reportArgumentType] # "not found"
    try:
        yield
    finally:
        del sys.modules[library]


@contextmanager
def without_greetings() -> Iterator[None]:
    """Leaves TensorFlow's greetings out of the standard error, unless its level is asked to be 0.

    Another process reads the standard error meanwhile and passes on all else at once, since a process
    that TensorFlow ends, on a processor without AVX for one, must still be able to say why.
    """
    if os.environ.setdefault(_LEVEL, "2") == "0":
        yield
        return
    words = [sys.executable, "-I", "-S", "-c", _SIEVE, *_GREETINGS]
    try:
        terminal = os.dup(2)
        # Not of this process's group: Ctrl-C is ours, and the sieve ends when nobody writes any more.
        sieve = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=terminal, start_new_session=True
        )
    except OSError:  # closed, or no process is to be had: TensorFlow starts all the same
        yield
        return
    assert sieve.stdin
    os.dup2(sieve.stdin.fileno(), 2)
    sieve.stdin.close()
    try:
        yield
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)
        with suppress(subprocess.TimeoutExpired):
            sieve.wait(_SIEVE_SECONDS)


_STARTS: Mapping[str, Callable[[], AbstractContextManager[None]]] = {
    "tensorflow": without_greetings,
    "keras.src.wrappers": partial(_without, "sklearn"),
    "keras.src.visualization": partial(_without, "matplotlib"),
    "keras.src.visualization.plot_bounding_box_gallery": partial(_without, "matplotlib"),
}
"""Modules, and what holds while each is imported."""


class _Loader(SourceFileLoader):
    """Loads a module from its file, while something else holds."""

    def exec_module(self, module: ModuleType) -> None:
        """Runs it."""
        with _STARTS[self.name]():
            super().exec_module(module)


class _Finder(MetaPathFinder):
    """Finds the modules whose start is changed, and leaves all else to the others."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The module's place, to be loaded in our way; None for all other modules."""
        if fullname not in _STARTS:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(spec.loader.name, spec.loader.path)
        return spec


def install() -> None:
    """Begins with the next import of TensorFlow or Keras."""
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    sys.meta_path.insert(0, _Finder())
