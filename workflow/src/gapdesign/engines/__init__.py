"""Reference engines, a family: structure -> label.

Each module or package here that defines a class derived from :class:`Engine` is one engine. :mod:`.shared` holds the
code that several of them use, and :mod:`.options` the part of the configuration that concerns labels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gapdesign.engines.base import Engine, Label, NotConvergedError
from gapdesign.errors import InputError
from gapdesign.families import Family

if TYPE_CHECKING:
    from gapdesign.engines.options import LabelOptions

__all__ = ["ENGINES", "Engine", "Label", "NotConvergedError", "make"]

ENGINES: Family[Engine] = Family("gapdesign.engines", Engine)
"""Every engine by its name."""


def make(name: str, options: LabelOptions) -> Engine:
    """Return the engine ``name`` with its part of ``options``, without loading or checking anything yet.

    Raises
    ------
    InputError
        If no engine has that name.
    """
    if name not in ENGINES:
        raise InputError(f"labels.engine: {name} is not an engine; choose from {', '.join(ENGINES)}.")
    engine = ENGINES[name]
    return engine(getattr(options, name, engine.Options()))
