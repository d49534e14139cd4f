"""Reference engines: structure -> label.

An engine is one module with one class that satisfies :class:`Engine` and one block of options. To add one,
write the module and enter the class in :data:`ENGINES` and the block, by the same name, in
:class:`LabelOptions`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from pydantic import Field

from gapdesign.config.options import Options
from gapdesign.engines.ase import Ase, AseOptions
from gapdesign.engines.base import Engine, Label
from gapdesign.engines.eam import Eam, EamOptions
from gapdesign.engines.espresso import Espresso, EspressoOptions
from gapdesign.engines.file import File, FileOptions
from gapdesign.engines.gpaw import Gpaw, GpawOptions
from gapdesign.engines.vasp import Vasp, VaspOptions
from gapdesign.errors import InputError
from gapdesign.labels.gate import LimitOptions
from gapdesign.labels.runs import Keep

__all__ = ["ENGINES", "Engine", "Label", "LabelOptions", "make"]

ENGINES: dict[str, Callable[[Any], Engine]] = {
    "eam": Eam,
    "vasp": Vasp,
    "gpaw": Gpaw,
    "espresso": Espresso,
    "ase": Ase,
    "file": File,
}
"""Every engine by name: a class that is made from its options."""


class LabelOptions(Options):
    """Where labels come from and where they are kept."""

    engine: Literal["eam", "vasp", "gpaw", "espresso", "ase", "file"] = Field(
        "eam",
        description="Program that computes reference energies, forces and virials: `eam`, an embedded-atom"
        " potential (a millisecond a structure); `vasp`, `gpaw`, `espresso`; `ase`, any calculator of ASE; `file`,"
        " labels that you made elsewhere. See docs/engines.md and docs/labels.md.",
    )
    chunk: int = Field(25, ge=1, description="Structures that one job labels.")
    cores: int = Field(
        1, ge=1, description="Cores that a job is given to label with; the engine's `command` starts as many processes."
    )
    store: str = Field(
        "labels-store",
        min_length=1,
        description="Folder in which labels are kept for ever, shared by designs and studies.",
    )
    reserve: int | None = Field(
        None,
        ge=0,
        description="Ranks that each design has beyond its budget, to take the place of structures without a label;"
        " by default a tenth of the budget, rounded up, and five more, as far as the pool has them.",
    )
    max_failed: float = Field(
        0.2,
        ge=0,
        le=1,
        description="Share of the structures of a design that may go without a label; the study stops when more of any"
        " design do, those that it took from its reserve among them, and says what they have in common. Anything above"
        " 0 allows at least one, and 1 any number.",
    )
    limits: LimitOptions = Field(
        LimitOptions(),
        description="Cells that are refused before any calculation; distances are bounded by"
        " `pools.constraints.min_distance`.",
    )
    max_core_hours: float | None = Field(
        None, gt=0, description="The most that one label may cost, in core hours by the engine's estimate."
    )
    scratch: str | None = Field(
        None,
        min_length=1,
        description="Folder in which engines run, each label in a folder of its own that is removed afterwards; by"
        " default the temporary folder of the machine.",
    )
    keep: Keep = Field(
        "failed",
        description="Calculations whose files are kept, but for wave functions, densities and potentials, under"
        " `results/<study>/labels/runs/<design>/<rank>-<attempt>`.",
    )
    eam: EamOptions = Field(EamOptions(), description="The potential of the engine `eam`.")
    vasp: VaspOptions = Field(VaspOptions(), description="How the engine `vasp` computes.")
    gpaw: GpawOptions = Field(GpawOptions(), description="How the engine `gpaw` computes.")
    espresso: EspressoOptions = Field(EspressoOptions(), description="How the engine `espresso` computes.")
    ase: AseOptions = Field(AseOptions(), description="The calculator of the engine `ase`.")
    file: FileOptions = Field(FileOptions(), description="Where the engine `file` finds labels.")


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
