"""Checks of one key of the configuration against another, for designs judged on existing labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gapdesign.engines import ENGINES
from gapdesign.engines.file import FileEngine
from gapdesign.errors import InputError
from gapdesign.methods.costs import ENGINE
from gapdesign.methods.costs import mismatch as costs_mismatch
from gapdesign.methods.options import mismatch
from gapdesign.methods.quotas import scaled
from gapdesign.replay.options import CUBIC
from gapdesign.replay.testset import size_of

if TYPE_CHECKING:
    from gapdesign.config.study import Study


def check(study: Study) -> None:
    """Check the requirements of a replay before any of its jobs runs.

    Raises
    ------
    InputError
        For the first mistake: key, value, remedy.
    """
    replay, pools = study.replay, study.pools
    if later := study.later_rounds():
        raise InputError(
            f"replay: designs are replayed on labels that are there already, and {later[0]} continues another one by"
            " what its labels say; leave out its `rounds` or `after` for a replay."
        )
    if polished := study.polished():
        raise InputError(
            f"replay: designs are replayed on labels of candidates, which polished structures are not; leave out the"
            f" `polish` of {polished[0]} for a replay."
        )
    if replay.core is not None and replay.core not in pools.names:
        raise InputError(f"replay.core: there is no pool '{replay.core}'; choose from {', '.join(pools.names)}.")
    if not issubclass(ENGINES[study.labels.engine], FileEngine):
        raise InputError(
            f"labels.engine: '{study.labels.engine}' computes labels, but a replay needs existing labels of whole"
            f" pools; set it to '{FileEngine.name}' and name their files in labels.{FileEngine.name}.paths."
        )
    if growing := [name for name in pools.names if pools.of(name).growth]:
        raise InputError(
            f"replay: designs are replayed on labels of whole pools, and pool {growing[0]} grows until it is wide;"
            " give pools.size a number."
        )
    study.replayed.member.linear().check(study)
    others = [name for name in pools.names if name != replay.core]
    if isinstance(replay.tested, str) and replay.tested not in others:
        raise InputError(
            f"replay.test: '{replay.tested}' is not a pool that can be kept for the test; give a share such as 0.2, or"
            f" choose from {', '.join(others)}."
        )
    for name in study.fitted():
        design = study.designs[name]
        if design.pool == replay.core:
            raise InputError(f"designs.{name}.pool: '{design.pool}' is replay.core; choose from another pool.")
        if design.pool == replay.tested:
            raise InputError(f"designs.{name}.pool: '{design.pool}' is replay.test; choose from another pool.")
        if replay.is_priced:
            _check_priced(study, name)
            continue
        size = pools.of(design.pool).most
        left = size if isinstance(replay.tested, str) else size - size_of(replay.tested, size)
        if replay.budgets[-1] > left:
            of = f"the {size}" if left == size else f"the {left} that replay.test leaves of {size} candidates"
            raise InputError(
                f"replay.budgets: {replay.budgets[-1]} candidates are more than {of} of pool {design.pool}; lower it."
            )
        smallest = replay.budgets[0]
        quotas = scaled(design.quotas, smallest / study.budget_of(name))
        problem = mismatch(
            design.model_copy(update={"quotas": quotas}),
            budget=smallest,
            structure=study.kernel.structure,
            descriptor=study.descriptor,
        )
        if problem is not None:
            raise InputError(f"designs.{name}.{problem}")
    if replay.is_priced or study.costs.source != ENGINE:
        if problem := costs_mismatch(study.costs, engine=study.labels.engine, computes=False):
            raise InputError(f"costs.{problem}")
        for pool in others:
            if study.costs.source == "column" and not pools.of(pool).reader:
                raise InputError(
                    f"costs.source: candidates of pool {pool} are no frames of files, which could carry"
                    f" {study.costs.column}; set it to measured."
                )
    prototype = replay.surfaces.prototype
    if prototype is not None:
        named = study.prototypes.get(prototype)
        if named is None or named.lattice not in CUBIC:
            raise InputError(
                f"replay.surfaces.prototype: '{prototype}' is not a prototype on one of the lattices"
                f" {', '.join(CUBIC)}; name one that is."
            )
        if not replay.surfaces.reference:
            raise InputError("replay.surfaces.reference: it is empty; give planes, such as {100: 2.17}.")


def _check_priced(study: Study, name: str) -> None:
    """Check that core-hours can end a design."""
    design = study.designs[name]
    problem = mismatch(design, budget=1, structure=study.kernel.structure, descriptor=study.descriptor, is_priced=True)
    if problem is not None:
        raise InputError(f"designs.{name}.{problem}")
