"""How a design is chosen from a pool: a family of methods.

Each module or package here that has a class derived from :class:`Method` is one method; :mod:`.shared` holds what
several of them use, :mod:`.tasks` and :mod:`.designs` what is done before and after any of them, and :mod:`.options`
what the configuration says.
"""

from gapdesign.families import Family
from gapdesign.methods.base import Method, Selection, Task

__all__ = ["METHODS", "Method", "Selection", "Task", "is_baseline", "is_by_chance"]

METHODS: Family[Method] = Family("gapdesign.methods", Method)
"""Every method by its name."""


def is_baseline(name: str) -> bool:
    """Return whether a name, which may be none of a method, is of one that others are compared with."""
    return name in METHODS and METHODS[name].is_baseline


def is_by_chance(name: str) -> bool:
    """Return whether a name, which may be none of a method, is of one that draws."""
    return name in METHODS and METHODS[name].by_chance
