"""The options of labels."""

from __future__ import annotations

from pydantic import Field, create_model

from gapdesign.config.options import Options
from gapdesign.engines import ENGINES
from gapdesign.labels.gate import LimitOptions
from gapdesign.labels.runs import Keep
from gapdesign.labels.suspicions import Contradictions


class _Labels(Options):
    """The source of labels, and the store that keeps them."""

    engine: ENGINES.names = Field(
        "eam",
        description=f"Program that computes reference energies, forces and virials. {ENGINES.choices} See"
        " docs/engines.md and docs/labels.md.",
    )
    chunk: int = Field(25, ge=1, description="Structures per labelling job.")
    cores: int = Field(
        1, ge=1, description="Cores per labelling job; the engine's `command` should start as many processes."
    )
    store: str = Field(
        "labels-store",
        min_length=1,
        description="Folder that keeps labels for ever, shared by designs and studies.",
    )
    reserve: int | None = Field(
        None,
        ge=0,
        description="Extra ranks per design beyond its budget, which replace structures without a label. Default: a"
        " tenth of the budget, rounded up, plus five, as far as the pool has them.",
    )
    max_failed: float = Field(
        0.2,
        ge=0,
        le=1,
        description="Largest share of a design's structures that may go without a label. If more of any design fail,"
        " including those taken from its reserve, the study stops and reports what they have in common. Any value above"
        " 0 allows at least one failure, and 1 allows any number.",
    )
    contradictions: Contradictions = Field(
        "stop",
        description="What happens where labels contradict one another by a factor of ten or more, as they do in another"
        " unit, or where isolated atoms are more than 100 eV per atom off: `stop`, or a warning only. Smaller"
        " contradictions are always a warning, in the head of the report. See docs/labels.md.",
    )
    limits: LimitOptions = Field(
        LimitOptions(),
        description="Cells that are refused before any calculation. The shortest distance is bounded by"
        " `pools.constraints.min_distance`.",
    )
    max_core_hours: float | None = Field(
        None, gt=0, description="Largest cost of one label, in core hours, by the engine's estimate."
    )
    scratch: str | None = Field(
        None,
        min_length=1,
        description="Folder in which engines run. Each label gets a folder of its own, which is removed afterwards."
        " Default: the temporary folder of the machine.",
    )
    keep: Keep = Field(
        "failed",
        description="Calculations whose files are kept, except wave functions, densities and potentials, under"
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
