"""Reference engines: structure -> label.

An engine is one module with one class that satisfies :class:`Engine` and one block of options. To add one,
write the module and enter the class in :data:`ENGINES` and the block, by the same name, in
:class:`LabelOptions`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from pydantic import Field

from gapdesign.engines.base import Engine, Label
from gapdesign.engines.eam import Eam, EamOptions
from gapdesign.errors import InputError
from gapdesign.options import Options

__all__ = ["ENGINES", "Engine", "Label", "LabelOptions", "make"]

ENGINES: dict[str, Callable[[Any], Engine]] = {"eam": Eam}
"""Every engine by name: a class that is made from its options."""


class LabelOptions(Options):
    """Where labels come from and where they are kept."""

    engine: Literal["eam"] = Field(
        "eam",
        description="Program that computes reference energies, forces and virials: `eam`, an embedded-atom"
        " potential (a millisecond a structure).",
    )
    chunk: int = Field(25, ge=1, description="Structures that one job labels.")
    store: str = Field(
        "labels-store",
        min_length=1,
        description="Folder in which labels are kept for ever, shared by designs and studies.",
    )
    eam: EamOptions = Field(EamOptions(), description="The potential of the engine `eam`.")


def make(name: str, options: LabelOptions) -> Engine:
    """Give the engine ``name`` with its part of ``options``; nothing is loaded or checked yet.

    Raises
    ------
    InputError
        If there is no engine of that name.
    """
    if name not in ENGINES:
        raise InputError(f"labels.engine: {name} is not an engine; choose from {', '.join(ENGINES)}.")
    return ENGINES[name](getattr(options, name))
