"""Reference engines, a family: structure -> label.

Each module or package here that has a class derived from :class:`Engine` is one engine; :mod:`.shared` holds what
several of them use, and :mod:`.options` what the configuration says about labels.
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
    """Give the engine ``name`` with its part of ``options``; nothing is loaded or checked yet.

    Raises
    ------
    InputError
        If there is no engine of that name.
    """
    if name not in ENGINES:
        raise InputError(f"labels.engine: {name} is not an engine; choose from {', '.join(ENGINES)}.")
    engine = ENGINES[name]
    return engine(getattr(options, name, engine.Options()))
