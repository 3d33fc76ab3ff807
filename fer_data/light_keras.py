"""Lets Keras start without the libraries for what it offers beside networks, which nobody here uses.

Where scikit-learn and Matplotlib are installed, `import tensorflow` imports both, for Keras's wrappers
of estimators and its galleries of pictures: three tenths of what a stage waits before its first line.
Keras does without either; the stages that compute or draw with them import them by themselves.
"""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType

_LIBRARY_OF = {
    "keras.src.wrappers": "sklearn",
    "keras.src.visualization": "matplotlib",
    "keras.src.visualization.plot_bounding_box_gallery": "matplotlib",
}


class _WithoutLibrary(SourceFileLoader):
    """Loads a module of Keras as if the library that it asks for were not installed."""

    def exec_module(self, module: ModuleType) -> None:
        """Runs it; a library that is imported already costs nothing, and stays."""
        library = _LIBRARY_OF[self.name]
        hidden = library not in sys.modules
        if hidden:
            sys.modules[library] = None  # pyright: ignore[reportArgumentType] # "not found"
        try:
            super().exec_module(module)
        finally:
            if hidden:
                del sys.modules[library]


class _Finder(MetaPathFinder):
    """Finds the modules of Keras that import a library, and leaves all else to the others."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The module's place, to be loaded without its library; None for all other modules."""
        if fullname not in _LIBRARY_OF:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _WithoutLibrary(spec.loader.name, spec.loader.path)
        return spec


def install() -> None:
    """Begins with the next import of Keras."""
    sys.meta_path.insert(0, _Finder())
