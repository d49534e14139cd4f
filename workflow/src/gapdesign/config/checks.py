"""Checks of keys of a study against one another and against the files that they name, before any job runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ase.data import atomic_numbers
from pydantic import ValidationError

from gapdesign import samplers
from gapdesign.config.mistakes import sentence
from gapdesign.config.names import check_names
from gapdesign.config.part import At
from gapdesign.descriptors.sizes import MOST, shard_bytes, too_long
from gapdesign.engines import ENGINES
from gapdesign.errors import InputError
from gapdesign.methods import options as methods
from gapdesign.methods.costs import CostOptions
from gapdesign.methods.costs import mismatch as costs_mismatch
from gapdesign.models import MODELS
from gapdesign.models.options import DEFAULT as GAP
from gapdesign.models.options import ModelOptions
from gapdesign.properties.options import mismatch
from gapdesign.prototypes import prototypes
from gapdesign.rounds.options import SOONEST
from gapdesign.samplers.options import PoolOptions
from gapdesign.structures import nearest_neighbour

if TYPE_CHECKING:
    from gapdesign.config.study import Study


def check(study: Study) -> None:
    """Check keys against one another, before any job runs.

    Raises
    ------
    InputError
        For the first mistake: key, value, remedy.
    """
    if not study.prototypes and not study.elements and "prototypes" in study.model_fields_set:
        raise InputError("prototypes: it is empty; give at least one entry.")
    for key, example in (
        ("prototypes", "{hcp: {element: Zr, lattice: hcp, a: 3.232, c: 5.147}}"),
        ("designs", "{OPT1: {pool: A, method: maxmin}}"),
    ):
        if not getattr(study, key) and not (key == "prototypes" and study.elements):
            raise InputError(f"{key}: this key is missing; for example `{key}: {example}`.")
    pools = study.pools
    check_names(pools.names, study.designs)
    if not study.fitted():
        key = "fit" if not any(design.fit for design in study.designs.values()) else "compared"
        raise InputError(
            f"designs: all have `{key}: false`, so there is no model to test; leave it out for one or more."
        )
    _check_elements(study)
    _check_pools(study)
    for key, path in _files(study):
        if "{" in path or "}" in path:
            raise InputError(f"{key}: Snakemake takes the braces in '{path}' for a wildcard; rename the file.")
    _check_counts(study)
    study.descriptor.member.check(study.descriptor.options, study.species())
    for name, design in study.designs.items():
        if design.pool not in pools.names:
            raise InputError(
                f"designs.{name}.pool: there is no pool '{design.pool}'; choose from {', '.join(pools.names)}."
            )
        if design.existing is not None and not Path(design.existing).is_file():
            raise InputError(
                f"designs.{name}.existing: no file '{design.existing}'; paths start where snakemake is run."
            )
        size = pools.of(design.pool).sizes[0]  # so many it has in any case
        if design.start is not None and design.start >= size:
            raise InputError(f"designs.{name}.start: {design.start} is not in a pool of {size}; choose a smaller one.")
        budget = study.budget_of(name)
        if budget > size:
            key = "budget" if design.budget is None else f"designs.{name}.budget"
            key += "" if study.core_hours_of(name) is None else ".at_most"
            more = "pools.size" if pools.of(design.pool).growth is None else "pools.size.at_least"
            raise InputError(
                f"{key}: {budget} structures cannot be chosen from pools of {size}; lower it or raise {more}."
            )
        problem = methods.mismatch(
            design,
            budget=budget,
            structure=study.kernel.structure,
            descriptor=study.descriptor,
            is_priced=study.core_hours_of(name) is not None,
        )
        if problem is not None:
            raise InputError(f"designs.{name}.{problem}")
        if design.reads_rows and study.kernel.soap.scale == 0:
            raise InputError(
                f"designs.{name}.method: '{design.method}' learns energies of the scale kernel.soap.scale, which is 0;"
                " make it positive."
            )
        unknown = [group for group in design.quotas if group not in study.prototypes]
        if unknown and not pools.of(design.pool).reader:
            raise InputError(
                f"designs.{name}.quotas: '{unknown[0]}' is no prototype, and candidates of pool {design.pool} have no"
                f" other groups; choose from {', '.join(study.prototypes)}."
            )
        _check_round(study, name)
        _check_pool_of(study, name)
        _check_polish(study, name)
    _check_costs(study, {study.designs[name].pool: f"designs.{name}" for name in study.priced()})
    _check_models(study)
    if problem := mismatch(study.properties, list(study.prototypes), study.symbols(), ENGINES[study.labels.engine]):
        raise InputError(f"properties.{problem}")
    if study.kernel.soap.scale == 0 and study.kernel.pair.scale == 0:
        raise InputError("kernel: soap.scale and pair.scale are both 0, so nothing is left; make one positive.")
    if study.kernel.soap.scale == 0 and study.kernel.structure != "average":
        raise InputError(
            f"kernel.structure: '{study.kernel.structure}' compares environments by SOAP, which kernel.soap.scale: 0"
            " leaves out; make that positive, or choose 'average'."
        )
    for prototype in prototypes(study.prototypes):
        nearest = nearest_neighbour(prototype.atoms)
        reaches = {"descriptor.soap": study.descriptor.soap.r_cut}
        if study.kernel.pair.scale > 0:
            reaches["kernel.pair"] = study.kernel.pair.r_cut
        for key, r_cut in reaches.items():
            if r_cut <= nearest:
                raise InputError(_short_sight(key, r_cut, prototype.name, nearest))


def _check_round(study: Study, name: str) -> None:
    """Check a design against the one that it continues, if it does."""
    if (after := study.designs[name].after) is None:
        return
    where, before = f"designs.{name}.after", study.designs[after.design]
    if not before.fit:
        raise InputError(f"{where}.design: '{after.design}' has `fit: false`, and so no model to go by; name another.")
    own, others = study.core_hours_of(name), study.core_hours_of(after.design)
    if (own is None) != (others is None):
        raise InputError(
            f"{where}.design: one of '{name}' and '{after.design}' has a budget in core-hours; give both one."
        )
    more = study.budget_of(name) > study.budget_of(after.design) if own is None else own > others
    if not more:
        raise InputError(
            f"designs.{name}.budget: it counts what '{after.design}' has already, and must be larger than the budget of"
            " that; raise it, or ask for fewer rounds."
        )
    if after.stop is not None and len(study.chain(name)) < SOONEST:
        raise InputError(
            f"{where}.stop: nothing is seen of earlier gains before round {SOONEST}, and this is round"
            f" {len(study.chain(name))}; leave it out."
        )


def _check_pool_of(study: Study, name: str) -> None:
    """Check that a design is not chosen from a pool that is sampled after labels which it does not wait for."""
    pool = study.designs[name].pool
    after, earlier = study.pools.of(pool).after, study.chain(name)[1:]
    if after is None or after in earlier:
        return
    if after not in study.designs:
        raise InputError(
            f"pools.overrides.{pool}: there is no design '{after}' (after); choose from {', '.join(study.designs)}."
        )
    raise InputError(
        f"designs.{name}.pool: '{pool}' is sampled after the labels of {after}, so only designs that continue that can"
        f" be chosen from it; add `after: {{design: {after}}}`, or choose from another pool."
    )


def _check_polish(study: Study, name: str) -> None:
    """Check that candidates of the pool of a polished design are points of a space."""
    pool = study.designs[name].pool
    sampled = study.pools.of(pool)
    if study.designs[name].polish is None or sampled.is_continuous:
        return
    able = " or ".join(each for each, sampler in samplers.SAMPLERS.items() if sampler.is_continuous)
    raise InputError(
        f"designs.{name}.polish: candidates of pool {pool}, by the sampler '{sampled.sampler}', have no continuous"
        f" parameters to move in; use a pool of one sampler of {able}, or leave it out."
    )


def _check_growth(study: Study, name: str) -> None:
    """Check a pool that grows until it is wide enough, if it does."""
    pool = study.pools.of(name)
    if pool.growth is None:
        return
    number = "give it a number of candidates"
    if pool.reader is not None:
        raise InputError(
            f"pools.size: pool {name} has the sampler `{pool.reader}`, whose frames end where its files do, so that it"
            f" does not grow; {number}, or `all`."
        )
    if pool.after is not None:
        raise InputError(
            f"pools.size: pool {name} is sampled after the labels of {pool.after}, by what these say, and distances"
            f" alone do not tell when it is wide enough; {number}."
        )
    if not study.designs_from(name):
        raise InputError(
            f"pools.size: pool {name} grows until its designs cover it, and no design is chosen from it; {number}."
        )
    if study.kernel.structure != "average":
        raise InputError(
            f"pools.size: whether pool {name} is wide enough is judged by covering radii in average distances, and"
            f" kernel.structure is '{study.kernel.structure}'; {number}, or choose 'average'."
        )


def _short_sight(key: str, r_cut: float, prototype: str, nearest: float) -> str:
    return (
        f"{key}.r_cut: {r_cut} does not reach the nearest neighbour of prototype '{prototype}' at {nearest:.3f}"
        " angstrom; make it larger, twice that or more."
    )


def _check_elements(study: Study) -> None:
    """Check elements that are given instead of prototypes."""
    for symbol in study.elements or ():
        if atomic_numbers.get(symbol, 0) < 1:
            raise InputError(f"elements: '{symbol}' is not a chemical element; write a symbol such as 'Zr'.")
    if study.elements and study.prototypes:
        raise InputError("elements: the prototypes say them already; leave one of the two keys out.")
    if study.elements:
        for name in study.pools.names:
            if _of(study, name).needs_prototypes:
                raise InputError(
                    f"prototypes: pool {name} is made from them by the sampler `{_of(study, name).sampler}`; name some."
                )


def _of(study: Study, pool: str) -> PoolOptions:
    """Return the options of a pool.

    Raises
    ------
    InputError
        If its overrides do not fit.
    """
    try:
        return study.pools.of(pool)
    except ValidationError as error:
        raise InputError(f"pools.overrides.{pool}: {sentence(error, type(study))}") from None


def _check_costs(study: Study, priced: Mapping[str, str]) -> None:
    """Check the costs of labels, if something is said about them or a design has a budget of core-hours.

    Parameters
    ----------
    priced
        Pools whose candidates have costs, each with the key that wants them.
    """
    costs, engine = study.costs, study.labels.engine
    if costs == CostOptions() and not priced:
        return
    # What the engine can do matters only where costs are asked for.
    if problem := costs_mismatch(costs, engine=engine, computes=ENGINES[engine].computes or not priced):
        raise InputError(f"costs.{problem}")
    if costs.path is not None and not Path(costs.path).is_file():
        raise InputError(f"costs.path: no file '{costs.path}'; paths start where snakemake is run.")
    for pool, key in priced.items():
        if costs.source == "column" and not study.pools.of(pool).reader:
            raise InputError(
                f"costs.source: candidates of pool {pool} ({key}) are no frames of files, which could carry"
                f" {costs.column}; set it to engine or measured."
            )


def _check_models(study: Study) -> None:
    """Check the kinds of models."""
    if study.models is not None and study.model != ModelOptions():
        raise InputError(f"model: `models` is given beside it; move the keys into `models.{GAP}` and remove `model`.")
    if not study.kinds:
        raise InputError(f"models: it is empty; name {' or '.join(MODELS)}, such as `models: {{{GAP}: {{}}}}`.")
    block = "model" if study.models is None else "models"
    for kind, chosen in study.kinds.items():
        chosen.member.check(chosen.options, study.species())
        reach = chosen.member.cutoff(chosen.options)
        for prototype in prototypes(study.prototypes):
            nearest = nearest_neighbour(prototype.atoms)
            if reach is not None and reach <= nearest:
                raise InputError(_short_sight(f"{block}.{kind}", reach, prototype.name, nearest))


MOST_JOBS = 100_000
"""Shards of a pool, and batches of the labels of a design, that Snakemake can plan in a bearable time."""


def _check_counts(study: Study) -> None:
    """Check that pools and designs are not cut into more jobs than can be planned."""
    pools = study.pools
    for name in pools.names:
        size, shards = pools.of(name).most, len(pools.of(name).shards)
        if shards > MOST_JOBS:
            raise InputError(
                f"pools.shard_size: pool {name} is cut into {shards} shards, and Snakemake plans no more than"
                f" {MOST_JOBS}; raise it to {-(-size // MOST_JOBS)} or more."
            )
        if problem := too_long(study, shard_bytes(At(study, pool_name=name)), limit=MOST):
            raise InputError(f"descriptor: {problem}.")
    budget = max(study.budgets().values())
    if (batches := -(-budget // study.labels.chunk)) > MOST_JOBS:
        raise InputError(
            f"labels.chunk: a design has {batches} batches of labels, and Snakemake plans no more than {MOST_JOBS};"
            f" raise it to {-(-budget // MOST_JOBS)} or more."
        )


def _files(study: Study) -> Iterator[tuple[str, str]]:
    """Yield the files of structures and labels that a study names, each with its key."""
    yield from ((f"prototypes.{name}.file", entry.file) for name, entry in study.prototypes.items() if entry.file)
    for pool in study.pools.names:
        yield from (("pools.file.path", path) for path in study.pools.of(pool).structures)
    yield from ((f"designs.{name}.existing", entry.existing) for name, entry in study.designs.items() if entry.existing)
    if study.costs.path is not None:
        yield "costs.path", study.costs.path
    yield from (("labels.file.paths", path) for path in study.labels.file.paths)


def _check_pools(study: Study) -> None:
    """Check each pool with its overrides, its files, and its samplers against the prototypes."""
    crystals = prototypes(study.prototypes)
    for name in study.pools.overrides:
        if name not in study.pools.names:
            raise InputError(
                f"pools.overrides.{name}: there is no pool '{name}'; choose from {', '.join(study.pools.names)}."
            )
    scaled_by = study.comparison.scaled_by
    if scaled_by is not None and scaled_by not in study.pools.names:
        raise InputError(
            f"comparison.scaled_by: there is no pool '{scaled_by}'; choose from {', '.join(study.pools.names)}."
        )
    for union, names in study.comparison.unions.items():
        if union in study.designs or not names or not set(names) <= set(study.first_rounds()):
            raise InputError(
                f"comparison.unions.{union}: a union needs a name that no design has, and a list of designs; the"
                f" designs are {', '.join(study.first_rounds())}."
            )
    described = study.comparison.descriptor
    if described.is_quip and len(study.species()) > 1:
        raise InputError(f"comparison.descriptor.kind: '{described.kind}' works for one element only; choose 'snap'.")
    for name in study.pools.names:
        options = _of(study, name)
        _check_growth(study, name)
        study.pools.check(name)
        samplers.make(options.sampling, crystals)
    if not study.first_pools():
        raise InputError("pools: all are sampled after labels, and no design can be first; leave `after` out of one.")
