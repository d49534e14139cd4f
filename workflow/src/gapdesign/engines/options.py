"""What the configuration says about labels."""

from __future__ import annotations

from pydantic import Field, create_model

from gapdesign.config.options import Options
from gapdesign.engines import ENGINES
from gapdesign.labels.gate import LimitOptions
from gapdesign.labels.runs import Keep


class _Labels(Options):
    """Where labels come from and where they are kept."""

    engine: ENGINES.names = Field(
        "eam",
        description=f"Program that computes reference energies, forces and virials. {ENGINES.choices} See"
        " docs/engines.md and docs/labels.md.",
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


LabelOptions = create_model(
    "LabelOptions",
    __base__=_Labels,
    __doc__=_Labels.__doc__,
    __module__=__name__,
    **{
        name: (engine.Options, Field(engine.Options(), description=f"Options of the engine `{name}`."))
        for name, engine in ENGINES.items()
        if engine.Options is not Options
    },
)
