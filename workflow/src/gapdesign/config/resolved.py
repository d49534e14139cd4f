"""What stands for something longer, written out: designs from several pools or in rounds, patterns, sizes, elements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from gapdesign.errors import InputError
from gapdesign.inputs.filters import FilterOptions
from gapdesign.inputs.survey import Survey, refuse_nothing, survey
from gapdesign.rounds import chain
from gapdesign.samplers import SAMPLERS
from gapdesign.samplers.options import ALL, OverrideOptions, PoolOptions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gapdesign.config.study import Study
    from gapdesign.methods.options import DesignOptions

KEY = "pools.file.path"


def resolved(study: Study) -> Study:
    """Return a study with all that is implied or that its files determine written out, so that no job counts again.

    Raises
    ------
    InputError
        If a file is missing or cannot be read, or if something needs prototypes and there are none.
    """
    pools, designs = _without_patterns(study.pools), _one_from_each_pool(study.designs, study.pools.names)
    designs = chain.written_out(designs, study.budget)
    study = study.model_copy(update={"designs": designs})
    try:
        each = {name: pools.of(name) for name in pools.names}
    except ValidationError:  # which the check explains
        return study
    is_free = not study.prototypes and not any(pool.needs_prototypes for pool in each.values())
    sized = [name for name, pool in each.items() if pool.size == ALL]
    surveyed = {name: _survey(name, each[name]) for name in (each if is_free and not study.elements else sized)}
    changes: dict[str, Any] = {"pools": _with_sizes(pools, {name: surveyed[name].count for name in sized})}
    if is_free:
        changes["properties"] = _without_crystals(study)
        if not study.elements:
            changes["elements"] = _elements(study, surveyed)
    return study.model_copy(update=changes)


def _one_from_each_pool(designs: Mapping[str, DesignOptions], pools: Sequence[str]) -> dict[str, DesignOptions]:
    """Return designs that each have one pool, those of several pools written out.

    Raises
    ------
    InputError
        If there is no such pool, or a name is taken already.
    """
    found: dict[str, DesignOptions] = {}
    for name, design in designs.items():
        if unknown := [pool for pool in design.pools if pool not in pools]:
            raise InputError(f"designs.{name}.pools: there is no pool '{unknown[0]}'; choose from {', '.join(pools)}.")
        own = {f"{name}_{pool}": design.model_copy(update={"pool": pool, "pools": ()}) for pool in design.pools}
        for each in (own := own or {name: design}):
            if each in found or (each != name and each in designs):
                raise InputError(f"designs.{name}.pools: a design '{each}' is there already; rename one of them.")
        found |= own
    return found


def _without_patterns(pools: PoolOptions) -> PoolOptions:
    """Return pools whose samplers name files instead of patterns."""

    def blocks(options: Any) -> dict[str, Any]:
        given = {name: getattr(options, name, None) for name in SAMPLERS}
        new = {name: SAMPLERS[name].resolved(block) for name, block in given.items() if block is not None}
        return {name: block for name, block in new.items() if block is not given[name]}

    overrides = {name: own.model_copy(update=blocks(own)) for name, own in pools.overrides.items()}
    return pools.model_copy(update={**blocks(pools), "overrides": overrides})


def _survey(name: str, pool: PoolOptions) -> Survey:
    if not pool.structures or pool.is_mixture:
        raise InputError(
            f"pools.size: `{ALL}` counts the frames of files, and pool {name} has the sampler"
            f" `{pool.sampler}`; give a number."
        )
    SAMPLERS[pool.sampler].check(pool.block(pool.sampler), name)
    found = survey(pool.structures, pool.filter, KEY)
    refuse_nothing(found, pool.structures, KEY, pool.filter)
    return found


def _with_sizes(pools: PoolOptions, sizes: dict[str, int]) -> PoolOptions:
    """Return pools with numbers for sizes; pools that differ have overrides."""
    common = max(sizes.values(), default=1) if pools.size == ALL else pools.size
    overrides = dict(pools.overrides)
    for name, size in sizes.items():
        if name in overrides or size != common:
            own = overrides.get(name, OverrideOptions())
            overrides[name] = own.model_copy(update={"size": size})
    return pools.model_copy(update={"size": common, "overrides": overrides})


def _elements(study: Study, surveyed: dict[str, Survey]) -> tuple[str, ...]:
    """Return the elements of all frames, and of the structures that designs continue, in alphabetical order."""
    found = set().union(*(each.elements for each in surveyed.values()))
    for name, design in study.designs.items():
        if design.existing is not None:
            found |= survey((design.existing,), FilterOptions(), f"designs.{name}.existing").elements
    return tuple(sorted(found))


def _without_crystals(study: Study) -> Any:
    """Return the options of properties for a study without crystals, which has none to measure."""
    options = study.properties
    if "compute" in options.model_fields_set and options.compute:
        raise InputError(
            f"properties.compute: {options.compute[0]} is a property of crystals, and the study has none; name them"
            " under prototypes, or leave this out."
        )
    return options.model_copy(update={"compute": ()})
