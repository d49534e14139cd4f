"""The configuration of a study: typed, described and checked; source of the schema and the documentation."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from ase.data import atomic_numbers, chemical_symbols
from pydantic import Field, SerializerFunctionWrapHandler, ValidationError, model_serializer

from gapdesign.comparison.pools import ComparisonOptions
from gapdesign.config import reading
from gapdesign.config.checks import check
from gapdesign.config.mistakes import sentence
from gapdesign.config.options import Identifier, Options
from gapdesign.descriptors import layout
from gapdesign.descriptors.covariance import Covariance
from gapdesign.descriptors.kernel import KernelOptions
from gapdesign.descriptors.options import DescriptorOptions
from gapdesign.engines.options import LabelOptions
from gapdesign.errors import InputError
from gapdesign.methods.costs import CostOptions
from gapdesign.methods.options import AT_MOST, Budget, CoreHoursOptions, DesignOptions, SelectionOptions
from gapdesign.methods.polish import PREFIX
from gapdesign.models import MODELS
from gapdesign.models.options import ChosenModel, ModelOptions, ModelsOptions
from gapdesign.properties.options import PropertiesOptions
from gapdesign.prototypes import PrototypeOptions, prototypes
from gapdesign.quality.options import QualityOptions
from gapdesign.quality.subpools import subpool_sizes
from gapdesign.replay.options import ReplayOptions
from gapdesign.rounds.chain import chain
from gapdesign.rows.options import RowsOptions
from gapdesign.samplers.options import PoolOptions
from gapdesign.shards import cut


class Study(Options):
    """A study, whose results are under `results/<study>/`."""

    study: Identifier = Field("zr-demo", description="Name of the study and of its folder under `results/`.")
    seed: int = Field(2025, ge=0, lt=2**63, description="Seed of everything random.")
    prototypes: dict[Identifier, PrototypeOptions] = Field(
        {},
        description="Crystals that candidates are made from, by name; required unless all pools are frames of files.",
    )
    elements: tuple[str, ...] | None = Field(
        None,
        min_length=1,
        description="Chemical symbols of a study without prototypes; by default those of all frames of its pools and of"
        " `existing`, which are read for that whenever the configuration is.",
    )
    pools: PoolOptions = Field(PoolOptions(), description="Candidates.")
    comparison: ComparisonOptions = Field(ComparisonOptions(), description="Comparison of the pools before any label.")
    descriptor: DescriptorOptions = Field(DescriptorOptions(), description="Features of structures.")
    kernel: KernelOptions = Field(
        KernelOptions(), description="Covariance of structures, which defines their distance."
    )
    rows: RowsOptions = Field(RowsOptions(), description="Linear model, for designs by what labels teach.")
    budget: Budget = Field(
        100,
        description="Structures in each design that has no `budget` of its own; or core-hours that its labels may cost,"
        " such as `{core_hours: 200, at_most: 500}`, see docs/candidates.md.",
    )
    costs: CostOptions = Field(CostOptions(), description="What labels cost, for budgets of core-hours.")
    designs: dict[Identifier, DesignOptions] = Field(
        {}, min_length=1, description="Training sets to choose, by name; required."
    )
    selection: SelectionOptions = Field(SelectionOptions(), description="How selection jobs run.")
    quality: QualityOptions = Field(QualityOptions(), description="The design page.")
    labels: LabelOptions = Field(LabelOptions(), description="Reference energies, forces and virials.")
    model: ModelOptions = Field(ModelOptions(), description="Model that is fitted to each design.")
    models: ModelsOptions | None = Field(
        None,
        description="Models of several kinds, each fitted to every design, in place of `model`: for example"
        " `{gap: {}, ace: {degree: 10}}`. Results of the first are where those of a single one would be; those of each"
        " other kind have a folder named after it.",
    )
    properties: PropertiesOptions = Field(
        PropertiesOptions(), description="Properties of crystals that test the models."
    )
    replay: ReplayOptions = Field(ReplayOptions(), description="Designs judged on existing labels.")

    def species(self) -> list[int]:
        """Return the atomic numbers in the study, increasing."""
        return list(self._species)

    @cached_property
    def _species(self) -> tuple[int, ...]:
        if self.elements is not None:
            return tuple(sorted({atomic_numbers[symbol] for symbol in self.elements}))
        return tuple(sorted({int(z) for prototype in prototypes(self.prototypes) for z in prototype.atoms.numbers}))

    def symbols(self) -> list[str]:
        """Return the chemical symbols in the study, by increasing atomic number."""
        return [chemical_symbols[z] for z in self.species()]

    def methods(self) -> dict[str, str]:
        """Return the method of each design, in order; that of a polished one is another, which begins with `PREFIX`."""
        return {name: PREFIX * (each.polish is not None) + each.method for name, each in self.designs.items()}

    def fitted(self) -> list[str]:
        """Return the designs whose models are compared, in order."""
        return [name for name in self.compared() if self.designs[name].fit]

    def compared(self) -> list[str]:
        """Return the designs that models are tested on, in order; rounds before the last are not among them."""
        return [name for name, design in self.designs.items() if design.compared]

    @cached_property
    def kinds(self) -> dict[str, ChosenModel]:
        """The kinds of models, by name, in order; the first has its results where those of a single one are."""
        chosen = [self.model.chosen] if self.models is None else self.models.chosen
        return {each.kind: each for each in chosen}

    @cached_property
    def replayed(self) -> ChosenModel:
        """The kind of model that the replay fits, with the options given, or the defaults.

        Raises
        ------
        InputError
            If none is named and no model of the study is linear in its coefficients.
        """
        linear = [kind for kind, each in self.kinds.items() if each.member.replayed]
        if (kind := self.replay.kind or next(iter(linear), None)) is None:
            able = " or ".join(name for name, member in MODELS.items() if member.replayed)
            raise InputError(
                "replay.kind: a replay needs a model that is linear in its coefficients, and no model of this study is"
                f" ({', '.join(self.kinds)}); set it to {able}."
            )
        if kind in self.kinds:
            return self.kinds[kind]
        return ChosenModel(kind=kind, options=getattr(self.model, kind, None) or MODELS[kind].Options())

    def designs_from(self, pool: str) -> list[str]:
        """Return the designs that are chosen from a pool, in order."""
        return [name for name, design in self.designs.items() if design.pool == pool]

    def first_rounds(self) -> list[str]:
        """Return the designs that are chosen before any label, in order."""
        return [name for name, design in self.designs.items() if design.after is None]

    def later_rounds(self) -> list[str]:
        """Return the designs that continue others by what the labels of these say, in order."""
        return [name for name, design in self.designs.items() if design.after is not None]

    def first_pools(self) -> list[str]:
        """Return the pools that are sampled before any label, in order."""
        return [name for name in self.pools.names if self.pools.of(name).after is None]

    def polished(self) -> list[str]:
        """Return the designs whose structures are moved after they are chosen, in order."""
        return [name for name, design in self.designs.items() if design.polish is not None]

    def chain(self, design: str) -> list[str]:
        """Return a design and those that it continues, directly or not, the latest first."""
        return chain(design, self.designs)

    def existing_from(self, pool: str) -> tuple[str, ...]:
        """Return the files that the designs from a pool start from, in order."""
        files = (self.designs[name].existing for name in self.designs_from(pool))
        return tuple(dict.fromkeys(filter(None, files)))

    def budget_of(self, design: str) -> int:
        """Return the number of structures that a design is to have; at most, if core-hours end it."""
        budget = self._budget(design)
        if not isinstance(budget, CoreHoursOptions):
            return budget
        return budget.at_most or min(AT_MOST, self.pools.of(self.designs[design].pool).sizes[0])

    def core_hours_of(self, design: str) -> float | None:
        """Return the core-hours that the labels of a design may cost; None if it has a number of structures."""
        budget = self._budget(design)
        return budget.core_hours if isinstance(budget, CoreHoursOptions) else None

    def _budget(self, design: str) -> int | CoreHoursOptions:
        own = self.designs[design].budget
        return self.budget if own is None else own

    def priced(self) -> dict[str, float]:
        """Return the designs that a budget of core-hours ends, with that budget, in order."""
        found = {name: self.core_hours_of(name) for name in self.designs}
        return {name: core_hours for name, core_hours in found.items() if core_hours is not None}

    def budgets(self) -> dict[str, int]:
        """Return the number of structures that each design is to have, at most, in order."""
        return {name: self.budget_of(name) for name in self.designs}

    def known_to(self, design: str) -> int:
        """Return the number of structures that a design continues, at most."""
        after = self.designs[design].after
        return 0 if after is None else self.budget_of(after.design)

    def batches(self, design: str) -> list[tuple[int, int]]:
        """Return the ranges of ranks of a design that are labelled by one job each.

        What a design continues is labelled already, and is one range.
        """
        known, size = self.known_to(design), self.labels.chunk
        new = [(known + start, known + stop) for start, stop in cut(self.budget_of(design) - known, size)]
        return [(0, known), *new] if known else new

    def reserve(self, design: str) -> int:
        """Return the number of ranks that a design has beyond its budget."""
        return -(-self.budget_of(design) // 10) + 5 if self.labels.reserve is None else self.labels.reserve

    def subpools(self, design: str) -> list[int]:
        """Return the sizes of the smaller pools from which a design is, or may be, chosen again, increasing."""
        asked = self.designs[design]
        reads_more = asked.reads_environments or asked.reads_rows
        is_special = (
            asked.quotas
            or asked.after is not None
            or asked.polish is not None
            or self.core_hours_of(design) is not None
        )
        if self.kernel.structure != "average" or reads_more or is_special:
            return []
        # A pool that grows may end at any of its sizes.
        each = (
            subpool_sizes(size, self.budget_of(design), self.quality.subpools, is_light=asked.member.is_light)
            for size in self.pools.of(asked.pool).sizes
        )
        return sorted({size for sizes in each for size in sizes})

    @model_serializer(mode="wrap")
    def _without_usual_costs(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out costs that nothing is said about, so that what was made before they could be is not made again."""
        values = write(self)
        if self.costs == CostOptions():
            values.pop("costs", None)
        return values

    def covariance(self) -> Covariance:
        """Return the covariance of structures."""
        return Covariance(layout(self.descriptor, self.kernel.pair.shape, self.species()), self.kernel)


def checksum(study: Study) -> str:
    """Return the SHA-256 of all values, defaults included, in hexadecimal digits."""
    return hashlib.sha256(study.model_dump_json().encode()).hexdigest()


def load(source: str | Path) -> Study:
    """Read and check the configuration of a study in a YAML file; or read it from JSON, as other programs give it.

    Raises
    ------
    InputError
        If it cannot be read or is not valid.
    """
    if str(source).lstrip().startswith("{"):
        return parse(reading.from_json(str(source), source="--config"))
    study = parse(reading.read(source))
    check(study)
    return study


def parse(given: Any) -> Study:
    """Validate keys, types and bounds, and write out what files determine (see :mod:`.resolved`).

    Raises
    ------
    InputError
        For the first mistake: key, value, remedy.
    """
    from gapdesign.config.resolved import resolved

    if not isinstance(given, Mapping):
        raise InputError("The configuration is empty or not a mapping of keys to values; see config/README.md.")
    reading.bound(given)
    try:
        study = Study.model_validate(dict(given))
    except ValidationError as error:
        raise InputError(sentence(error, Study)) from None
    return resolved(study)
