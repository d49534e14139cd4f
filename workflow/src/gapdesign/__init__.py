"""Choose the structures that a machine-learning interatomic potential should be trained on.

In a notebook, with arrays or :class:`ase.Atoms` and no files: :func:`features`, :func:`distances`, :func:`select` by
any method, and :func:`coverage`; see :mod:`gapdesign.notebook`.

In the workflow, the stages, each a room of the library::

    candidates -> descriptors -> design -> labels -> hyperparameters -> models -> crossval -> report

Functions take arrays or :class:`ase.Atoms` and return values; :mod:`gapdesign.cli` alone parses a command line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gapdesign.notebook import Design, Features, coverage, distances, features, select

__all__ = ["Design", "Features", "__version__", "coverage", "distances", "features", "select"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import what is offered only when it is asked for, so that commands start fast."""
    if name in __all__:
        from gapdesign import notebook

        return getattr(notebook, name)
    raise AttributeError(f"module 'gapdesign' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
