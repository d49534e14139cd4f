"""Methods that choose a design from a pool.

Each module or package here that has a class derived from :class:`Method` is one method. :mod:`.shared` holds the code
that several of them use, :mod:`.tasks` and :mod:`.designs` the steps before and after any of them, and :mod:`.options`
their options in the configuration.
"""

from gapdesign.families import Family
from gapdesign.methods.base import Method, Selection, Task

__all__ = ["METHODS", "Method", "Selection", "Task", "default", "default_of_frames", "is_baseline", "is_by_chance"]

METHODS: Family[Method] = Family("gapdesign.methods", Method)
"""Every method by its name."""


def default() -> str:
    """Return the name of the method that commands take unless another is named."""
    return next(name for name, member in METHODS.items() if member.is_default)


def default_of_frames() -> str:
    """Return the name of the method that commands take for given frames unless another is named."""
    return next(name for name, member in METHODS.items() if member.is_default_of_frames)


def is_baseline(name: str) -> bool:
    """Return whether a name is that of a baseline method; names of no method are not."""
    return name in METHODS and METHODS[name].is_baseline


def is_by_chance(name: str) -> bool:
    """Return whether a name is that of a method that draws at random; names of no method are not."""
    return name in METHODS and METHODS[name].by_chance
