"""Verb of pools that grow: grow."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from gapdesign.cli.arguments import add, add_files, add_output, add_search, say
from gapdesign.cli.design import pool_files
from gapdesign.cli.parts.features import DistancePart
from gapdesign.config.job import Job, of_selection
from gapdesign.config.keys import Budget
from gapdesign.config.part import At, From
from gapdesign.descriptors.kernel import KernelOptions
from gapdesign.errors import InputError


def _existing(at: At) -> tuple[str | None, ...]:
    """Return the files that designs from a pool continue, each once; None stands for those that continue none."""
    designs = at.study.designs
    return tuple(dict.fromkeys(designs[name].existing for name in at.study.designs_from(at.pool_name)))


class GrowPart(DistancePart):
    """Keys that the end of a pool depends on, besides its candidates."""

    kernel: KernelOptions
    budget: Budget
    until: Annotated[float | None, From(lambda at: at.pool.growth.until if at.pool.growth else None)]
    existing: Annotated[tuple[str | None, ...], From(_existing)]


GROW = Job(verb="grow", rule="growth", stage="design", reads=GrowPart, allowance=of_selection, minutes=120, threads=2)
JOBS = (GROW,)


def register(verbs: argparse._SubParsersAction) -> None:
    """Add the verb of this module."""
    verb = add(
        verbs,
        GROW,
        _grow,
        "judge whether a pool that grows is wide enough, at one of the sizes at which it may end",
        "Measures by how much the doubling raised the covering radius of a max-min design from the first half, and by\n"
        "how much that of a design from all candidates is lower. A pool that has ended stays so.",
    )
    verb.add_argument("--pool", required=True, help="name of the pool")
    add_search(verb)
    add_files(verb, "--sums", "sums of all shards of features (.npy)")
    verb.add_argument("--before", type=Path, metavar="FILE", help="what was found for the half, if any (.json)")
    add_output(verb, what="what is known about its growth, to write (.json)")


def _grow(arguments: argparse.Namespace, part: GrowPart) -> None:
    from gapdesign.methods.growth import Growth, farthest, judged
    from gapdesign.methods.options import DesignOptions
    from gapdesign.methods.tasks import Description, existing_set, make_task

    if part.until is None:
        raise InputError(f"--pool {arguments.pool}: its size is a number, so that it does not grow.")
    before = Growth.read(arguments.before) if arguments.before else None
    if before is not None and before.is_wide:
        before.write(arguments.output)
        say(f"pool {arguments.pool} ended at {before.size} candidates")
        return
    described = Description(
        descriptor=part.descriptor, kernel=part.kernel, species=part.species, scaling=arguments.scaling
    )
    design = DesignOptions(pool=arguments.pool, method=farthest().name)
    settings = {"seed": "", "memory": arguments.memory, "threads": arguments.threads, "progress": say}
    task = make_task(pool_files(arguments), design, described, budget=part.budget, **settings)
    found = {path: existing_set([path], described, say) for path in part.existing}
    tasks = {path: replace(task, existing=None if known is None else known.features) for path, known in found.items()}
    growth = judged(tasks, before, part.until)
    growth.write(arguments.output)
    for reach in growth.last.values():
        beside = f" beside {reach.existing}" if reach.existing else ""
        structures = f"a max-min design of {len(reach.candidates)} structures{beside}"
        say(f"{reach.size} candidates: the covering radius of {structures} is {reach.radius:.6g}")
        if reach.rise is not None:
            rise, fall = (f"{100 * share:.2f} %" for share in (reach.rise, reach.fall))
            say(f"that of the one from the half rose from {reach.half_before:.6g} to {reach.half_after:.6g}, by {rise}")
            say(f"that of the one from all is lower by {fall}")
    after = f"is wide enough and ends at {growth.size} candidates" if growth.is_wide else "may grow"
    say(f"pool {arguments.pool} {after}")
