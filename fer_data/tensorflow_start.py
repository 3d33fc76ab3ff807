"""Lets TensorFlow and Keras start lightly: without libraries that they do not need, and quietly.

Where scikit-learn and Matplotlib are installed, `import tensorflow` imports both, for Keras's wrappers
of estimators and its galleries of images: three tenths of what a stage waits before its first line.
Keras does without either; the stages that compute or draw with them import them by themselves.

TensorFlow's log level is 2 here, errors alone, where the environment asks for nothing else. Four lines
ignore it while TensorFlow is imported (tensorflow/tensorflow#100442), so they are left out.

Of a GPU's memory a process takes what it needs, not all at once, so that others can use it beside.
"""

import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import ModuleType

_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
_GREETINGS = (
    b"All log messages before absl::InitializeLog() is called are written to STDERR",
    b"oneDNN custom operations are on.",
    b"This TensorFlow binary is optimized to use available CPU instructions",
    b"To enable the following instructions:",
)


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

    Other lines follow once TensorFlow is imported. They would be lost if the import ended the process,
    as it does on a processor without AVX: nothing is held back there.
    """
    if os.environ.setdefault(_LEVEL, "2") == "0" or lacks_avx(Path("/proc/cpuinfo")):
        yield
        return
    try:
        terminal = os.dup(2)
    except OSError:  # closed
        yield
        return
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)
            held.seek(0)
            for line in held:
                if not any(words in line for words in _GREETINGS):
                    os.write(2, line)


def lacks_avx(processors: Path) -> bool:
    """Whether Linux lists an x86 processor without AVX, which TensorFlow's packages need."""
    try:
        listed = processors.read_text()
    except OSError:  # another system
        return False
    flags = next((line for line in listed.splitlines() if line.startswith("flags")), None)
    return flags is not None and "avx" not in flags.split()


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
        """The module's place, to be loaded by `_Loader`; None for all other modules."""
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
