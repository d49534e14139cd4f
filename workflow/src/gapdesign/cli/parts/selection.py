"""What the choice of a design depends on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import PlainSerializer

from gapdesign.cli.parts.features import DistancePart
from gapdesign.cli.parts.labels import EnginePart
from gapdesign.config.part import At, From
from gapdesign.descriptors.kernel import KernelOptions
from gapdesign.methods import METHODS
from gapdesign.methods.costs import CostOptions, Prices
from gapdesign.methods.options import CoreHoursOptions, DesignOptions

if TYPE_CHECKING:
    from gapdesign.methods.tasks import Description


def _design(at: At) -> DesignOptions:
    """Return a design; a number of structures matters only beside quotas, and jobs that need it have their own key."""
    design, core_hours = at.design, at.study.core_hours_of(at.design_name)
    if core_hours is not None:
        return design.model_copy(update={"budget": CoreHoursOptions(core_hours=core_hours, at_most=at.budget)})
    return design.model_copy(update={"budget": at.budget if design.quotas else None})


def _without_others(design: DesignOptions) -> dict[str, Any]:
    """Return the keys of a design but for the options of other methods, quotas if there are none, and idle budgets."""
    others = (
        {"pools", "fit", "compared", "polish"}
        | set(METHODS) - {design.method}
        | (set() if design.quotas else {"quotas"})
    )
    others |= set() if design.quotas or design.core_hours is not None else {"budget"}
    return {key: value for key, value in design.model_dump(mode="json").items() if key not in others}


Design = Annotated[DesignOptions, From(_design), PlainSerializer(_without_others)]
"""The design that a job is about."""


class PricesPart(EnginePart):
    """The source of what labels cost: the engine, unless the configuration names another."""

    usual: ClassVar = {"costs": CostOptions()}
    costs: CostOptions

    def prices(self, progress: Callable[[str], None]) -> Prices:
        """Return what computes them, and report the law that is fitted, if one is."""
        return Prices(self.costs, self.make(), progress)


class SelectionPart(DistancePart):
    """Keys that the choice of a design depends on, besides its pool."""

    seed: int
    kernel: KernelOptions
    design: Design

    @property
    def described(self) -> Description:
        """Descriptor, kernel and species, by which structures are described and compared."""
        from gapdesign.methods.tasks import Description

        return Description(descriptor=self.descriptor, kernel=self.kernel, species=self.species)
