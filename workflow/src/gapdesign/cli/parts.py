"""Parts of the configuration that several jobs read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import PlainSerializer, SerializeAsAny, model_validator

from gapdesign.config.keys import AverageKernel, Species
from gapdesign.config.options import Options
from gapdesign.config.part import At, From, Part
from gapdesign.config.study import Study
from gapdesign.descriptors.kernel import KernelOptions, PairShapeOptions
from gapdesign.descriptors.options import ChosenDescriptor
from gapdesign.engines import ENGINES
from gapdesign.labels.gate import LimitOptions
from gapdesign.methods import METHODS
from gapdesign.methods.costs import CostOptions, Prices
from gapdesign.methods.options import CoreHoursOptions, DesignOptions

if TYPE_CHECKING:
    from gapdesign.descriptors import Descriptor
    from gapdesign.descriptors.covariance import Covariance, Layout
    from gapdesign.engines.base import Engine
    from gapdesign.methods.tasks import Description

Chosen = Annotated[ChosenDescriptor, From(lambda at: at.study.descriptor.chosen)]
"""The descriptor and its options, without those of others."""

Methods = Annotated[dict[str, str], From(lambda at: at.study.methods())]
"""Designs and the methods that choose them, in order."""


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

Budget = Annotated[int, From(lambda at: at.budget)]
"""Structures in the design that a job is about, or in the largest one of its pool."""


class StudyPart(Part):
    """All of the configuration."""

    study: Annotated[Study, From(lambda at: at.study)]


class FeaturePart(Part):
    """Keys that the features of structures depend on."""

    descriptor: Chosen
    pair: Annotated[PairShapeOptions | None, From(lambda at: at.study.kernel.pair.shape)]
    species: Species

    @property
    def layout(self) -> Layout:
        """Positions of the parts in a feature vector."""
        from gapdesign.descriptors import layout

        return layout(self.descriptor, self.pair, self.species)

    def make(self, scaling: Path | None = None) -> Descriptor:
        """Return the descriptor that computes the features, with the scale of its components in a file."""
        from gapdesign.descriptors import Descriptor
        from gapdesign.descriptors.scaling import Scaling

        return Descriptor(self.descriptor, self.pair, self.species, Scaling.read(scaling) if scaling else None)


class DistancePart(Part):
    """Keys that kernel distances between structures depend on."""

    descriptor: Chosen
    kernel: AverageKernel
    species: Species

    @property
    def covariance(self) -> Covariance:
        """The covariance of structures."""
        from gapdesign.descriptors import layout
        from gapdesign.descriptors.covariance import Covariance

        return Covariance(layout(self.descriptor, self.kernel.pair.shape, self.species), self.kernel)


class EnginePart(Part):
    """The reference engine and its options, without those of other engines."""

    name: Annotated[str, From(lambda at: at.study.labels.engine)]
    options: Annotated[SerializeAsAny[Options], From(lambda at: getattr(at.study.labels, at.study.labels.engine))]

    @model_validator(mode="before")
    @classmethod
    def _typed(cls, given: Any) -> Any:
        """Read the options with the class of the engine."""
        if not (isinstance(given, dict) and "options" in given):
            return given
        return given | {"options": ENGINES.read(given.get("name"), given["options"])}

    def make(self) -> Engine:
        """Return the engine; nothing is loaded or checked yet."""
        return ENGINES[self.name](self.options)


class PricesPart(EnginePart):
    """The source of what labels cost: the engine, unless the configuration names another."""

    usual: ClassVar = {"costs": CostOptions()}
    costs: CostOptions

    def prices(self, progress: Callable[[str], None]) -> Prices:
        """Return what computes them, and report the law that is fitted, if one is."""
        return Prices(self.costs, self.make(), progress)


class GatePart(Part):
    """Limits on the structures that reach the engine."""

    min_distance: Annotated[float, From(lambda at: at.study.pools.constraints.min_distance)]
    limits: Annotated[LimitOptions, From(lambda at: at.study.labels.limits)]
    max_core_hours: Annotated[float | None, From(lambda at: at.study.labels.max_core_hours)]


def of_selection(at: At) -> int:
    """Return the MiB that a job of the selection may use."""
    return at.study.selection.memory


def of_labels(at: At) -> int:
    """Return the cores that a job of the labels gets."""
    return at.study.labels.cores


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
