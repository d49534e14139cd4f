"""Verbs of the stage design: basis, compress, select, verify."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from gapdesign.cli.arguments import add, add_config, add_design, add_files, add_memory, add_output, add_search, say
from gapdesign.cli.parts.features import FeaturePart
from gapdesign.cli.parts.labels import EnginePart
from gapdesign.cli.parts.selection import SelectionPart
from gapdesign.config.job import Job, of_selection
from gapdesign.config.keys import Budget
from gapdesign.config.part import At, From, Part
from gapdesign.errors import InputError, ProgramError
from gapdesign.methods.costs import CostOptions

if TYPE_CHECKING:
    import numpy as np
    from ase import Atoms

    from gapdesign.methods.base import Selection, Task
    from gapdesign.methods.tasks import PoolFiles


class CostsPart(Part):
    """Keys that the costs of labels depend on, besides the structures."""

    costs: CostOptions
    engine: Annotated[EnginePart | None, From(lambda at: EnginePart.of(at) if at.study.costs.needs_engine else None)]


class SelectPart(SelectionPart):
    """Keys that a design depends on, besides its pool."""

    budget: Budget
    reserve: Annotated[int, From(lambda at: at.study.reserve(at.design_name))]

    def without_budget(self) -> str:
        """Return the values that must be the same for a selection to continue with another budget, as JSON."""
        return self.model_copy(update={"budget": 1, "reserve": 0}).text()


COSTS = Job(verb="costs", rule="design_costs", stage="design", reads=CostsPart, memory=1500, minutes=60)
BASIS = Job(verb="basis", rule="design_basis", stage="design", reads=FeaturePart, allowance=of_selection, minutes=30)
COMPRESS = Job(
    verb="compress",
    rule="design_compress",
    stage="design",
    reads=FeaturePart,
    allowance=of_selection,
    minutes=30,
)
SELECT = Job(
    verb="select",
    rule="design_select",
    stage="design",
    reads=SelectPart,
    allowance=of_selection,
    minutes=120,
    threads=2,
    works_on="designs/{design}.extxyz",
)
JOBS = (COSTS, BASIS, COMPRESS, SELECT)


def register(verbs: argparse._SubParsersAction) -> None:
    """Add the verbs of this module."""
    verb = add(
        verbs,
        COSTS,
        _costs,
        "estimate what the label of every candidate of one shard costs, in core-hours",
        "By the block `costs` of the configuration: the engine's estimate, a number of each frame, or a fitted law.",
    )
    verb.add_argument("--candidates", required=True, type=Path, metavar="FILE", help="shard of candidates (.npz)")
    add_output(verb, what="costs to write, float64 (n,) (.npy)")

    verb = add(
        verbs,
        BASIS,
        _basis,
        "find the few directions in which the features of a pool vary",
        "Any sample of the pool is good enough: the error of the compression is bounded, and never changes a design.",
    )
    add_files(verb, "--features", "features of some shards of the pool (.npy)")
    add_output(verb, what="directions to write (.npz)")

    verb = add(verbs, COMPRESS, _compress, "compress the features of one shard")
    verb.add_argument("--basis", required=True, type=Path, metavar="FILE", help="directions (.npz)")
    verb.add_argument("--features", required=True, type=Path, metavar="FILE", help="features of the shard (.npy)")
    add_output(verb, what="compressed features to write (.npy)")
    verb.add_argument("--output-codes", type=Path, metavar="FILE", help="their codes to write, if you want them (.npy)")

    verb = add(
        verbs,
        SELECT,
        _select,
        "choose a design from a whole pool",
        "Writes the structures in the order chosen, with pool, candidate, rank, distance and, for max-min, the\n"
        "largest distance of any candidate left out (outside), which proves the order. The ranks after the budget\n"
        "are the reserve: they replace structures without a label. With a budget of core-hours, each next structure\n"
        "is chosen among those still affordable, and carries what its label costs (core_hours) and what is left then\n"
        "(core_hours_left).",
    )
    add_selection(verb)
    add_output(verb, what="design to write (.extxyz)")
    add_output(verb, "--output-features", "features of the design to write (.npy)")
    verb.add_argument("--output-reserve", type=Path, metavar="FILE", help="reserve to write, if you want one (.extxyz)")
    verb.add_argument(
        "--output-reserve-features", type=Path, metavar="FILE", help="features of the reserve to write (.npy)"
    )
    verb.add_argument(
        "--state",
        type=Path,
        metavar="FILE",
        help="state from which a selection with a larger budget or pool continues; read, then written (.npz)",
    )

    verb = add(
        verbs,
        "verify",
        _verify,
        "prove a design that has a certificate (maxmin, ...) or is polished, independently of how it was made",
        "Reports that the design is exact, or names the first wrong rank and exits with status 1. A polished design\n"
        "is not exact: proved are its structures, its quality before and after, and the design that it began as.\n\n"
        "example: gapdesign verify results/zr-demo/designs/OPT1.extxyz",
    )
    add_config(verb)
    verb.add_argument("design", type=Path, metavar="FILE", help="design in the results of a study (.extxyz)")
    add_memory(verb)


def add_selection(verb: argparse.ArgumentParser) -> None:
    """Add the design, and the files of the pool that it is chosen from."""
    add_design(verb)
    add_search(verb)
    add_files(verb, "--candidates", "all shards of candidates of the pool (.npz)")
    add_files(verb, "--sums", "sums of all shards of features (.npy)")
    add_files(
        verb,
        "--environments",
        "all shards of environments of the pool (.npz); some methods and values of kernel.structure need them",
        may_be_none=True,
    )
    add_files(
        verb, "--rows", "all shards of rows of labels of the pool (.npz); some methods need them", may_be_none=True
    )
    verb.add_argument("--functions", type=Path, metavar="FILE", help="functions that rows are made of (.npz)")
    add_files(
        verb, "--costs", "all shards of costs of the pool (.npy), which budgets of core-hours need", may_be_none=True
    )


def pool_files(arguments: argparse.Namespace) -> PoolFiles:
    """Return the files that a selection reads, as far as a verb has arguments for them."""
    from gapdesign.methods.tasks import PoolFiles

    given = vars(arguments)
    return PoolFiles(**{name: given[name] for name in PoolFiles.__dataclass_fields__ if given.get(name)})


def _costs(arguments: argparse.Namespace, part: CostsPart) -> None:
    from gapdesign.files import write_array
    from gapdesign.methods.costs import Prices, costs_of
    from gapdesign.structures import read_batch

    engine = None if part.engine is None else part.engine.make()
    found = costs_of(read_batch(arguments.candidates), Prices(part.costs, engine, say))
    write_array(arguments.output, found)
    each = f"{found.min():.3g} to {found.max():.3g} core-hours" if len(found) else "nothing"
    say(f"labels of {len(found)} candidates cost {each}, {found.sum():.4g} in all")


def task_of(arguments: argparse.Namespace, part: SelectionPart, budget: int, **more: Any) -> Task:
    """Return the task of the design that the arguments name, with its existing set unless that is given."""
    from gapdesign.methods.tasks import existing_set, make_task

    described = replace(part.described, scaling=arguments.scaling)
    if "existing" not in more:
        more["existing"] = existing_set([part.design.existing], described, say)
    return make_task(
        pool_files(arguments),
        part.design,
        described,
        budget=budget,
        seed=f"{part.seed}/design/{arguments.design}",
        memory=arguments.memory,
        threads=arguments.threads,
        progress=say,
        **more,
    )


def _basis(arguments: argparse.Namespace, part: FeaturePart) -> None:
    from gapdesign.methods.maxmin.compression import Directions

    basis, count = Directions.of_shards(arguments.features, part.layout)
    basis.write(arguments.output)
    sizes = ", ".join(f"{vectors.shape[1]} of {vectors.shape[0]}" for vectors in basis.directions)
    say(f"directions kept: {sizes}, from {count} structures")


def _compress(arguments: argparse.Namespace, part: FeaturePart) -> None:
    from gapdesign.files import write_array
    from gapdesign.methods.maxmin.compression import Directions, compress_all
    from gapdesign.shards import ArrayFile

    basis = Directions.read(arguments.basis, part.layout)
    compressed = compress_all(ArrayFile(arguments.features), basis)
    write_array(arguments.output, compressed)
    if arguments.output_codes:
        write_array(arguments.output_codes, basis.codec.encode(compressed))
    say(f"{len(compressed)} structures, {compressed.shape[1]} numbers each, {2 * basis.codec.dimension} bytes of code")


def _select(arguments: argparse.Namespace, part: SelectPart) -> None:
    from gapdesign.files import write_array, write_frames
    from gapdesign.methods import designs, tasks
    from gapdesign.methods.maxmin.state import State

    design, described = part.design, replace(part.described, scaling=arguments.scaling)
    if design.after is not None:
        raise InputError(
            f"--design {arguments.design}: it continues {design.after.design} by what the labels of that say; use"
            " `gapdesign round-choose`."
        )
    existing = tasks.existing_set([design.existing], described, say)
    identity = tasks.identity(part.without_budget(), arguments.basis, existing)
    earlier = State.read(arguments.state, identity, arguments.sums) if arguments.state else None
    task = task_of(arguments, part, part.budget, existing=existing, earlier=earlier)
    reserve, quotas = part.reserve if arguments.output_reserve else 0, tasks.quotas_of(arguments.candidates, design)
    selection = designs.select(design.member, task, reserve=reserve, quotas=quotas)
    priced = {"costs": task.costs, "core_hours": task.core_hours}
    frames = designs.frames(selection, arguments.candidates, pool=design.pool, **priced)
    features, budget = task.pool.rows(selection.candidates), len(frames) - selection.reserved
    write_array(arguments.output_features, features[:budget])
    write_frames(arguments.output, frames[:budget])
    if arguments.output_reserve:
        write_frames(arguments.output_reserve, frames[budget:])
    if arguments.output_reserve_features:
        write_array(arguments.output_reserve_features, features[budget:])
    if arguments.state and (selection.state or not arguments.state.exists()):
        (selection.state or State.nothing()).write(arguments.state, identity, arguments.sums)
    if task.core_hours is not None:
        for line in _spent(task, selection, part.budget):
            say(line)
    elif budget < part.budget:
        say(f"only {budget} candidates differ from one another and from existing structures; the design ends there")
    say(
        f"{len(frames[:budget])} of {task.pool.size} candidates chosen by {design.method} and {len(frames[budget:])} in"
        f" reserve, {selection.passes} passes over the pool"
    )


def _spent(task: Task, selection: Selection, most: int) -> Iterator[str]:
    """Yield what a design costs of its core-hours, why it ends there, and what random designs buy, in sentences."""
    from gapdesign.methods.budgets import by_chance, end

    count = len(selection.candidates) - selection.reserved
    costs = task.costs[selection.candidates[:count]]
    budget = f"{task.core_hours:g} core-hours"
    yield f"labels of {count} structures cost {costs.sum():.4g} of {budget}; {end(task, costs, most)}"
    mean, spent = by_chance(task)
    yield f"random designs within {budget} have {mean:.0f} structures on average, for {spent:.4g}"


def _verify(arguments: argparse.Namespace) -> None:
    from gapdesign.config import study as config
    from gapdesign.files import read_frames
    from gapdesign.methods import METHODS
    from gapdesign.methods.quotas import first_wrong_rank
    from gapdesign.methods.tasks import PoolFiles, existing_set, make_task, quotas_of
    from gapdesign.rounds.continued import continued
    from gapdesign.rounds.learnt import Learnt
    from gapdesign.shards import shard_path

    study = config.load(arguments.config)
    name = arguments.design.stem
    part = SelectPart.of(At(study, name))
    results = arguments.design.parent.parent
    folder, costs = results / "descriptors", arguments.design.parent / "costs"
    scaling = None if study.descriptor.components == "raw" else folder / "scaling.npz"
    design, described = part.design, replace(part.described, scaling=scaling)
    is_priced = design.core_hours is not None
    is_polished = study.designs[name].polish is not None
    if not (design.member.is_certified or is_polished):
        able = " or ".join(name for name, member in METHODS.items() if member.is_certified)
        raise InputError(
            f"{arguments.design}: chosen by {design.method}; only designs by {able}, and polished ones, can be"
            " verified."
        )
    ranges = study.pools.of(design.pool).shards

    def shards(folder: Path, suffix: str) -> list[Path]:
        return [shard_path(folder, start, stop, suffix) for start, stop in ranges]

    folder, places = folder / design.pool, results / "candidates" / design.pool
    files = PoolFiles(
        features=shards(folder, "npy"),
        environments=shards(folder / "environments", "npz"),
        rows=shards(results / "rows" / design.pool, "npz"),
        functions=results / "rows/functions.npz",
        costs=shards(costs / design.pool, "npy") if is_priced else [],
    )
    path = arguments.design
    if is_polished:
        from gapdesign.cli import polish

        of_pool = PoolFiles(
            features=files.features, sums=shards(folder / "sums", "npy"), candidates=shards(places, "npz")
        )
        polish.verify(path, polish.PolishPart.of(At(study, name)), of_pool, scaling, arguments.memory)
        if not design.member.is_certified:
            return
        path = path.parent / "chosen" / path.name
    settings = {"seed": "", "memory": arguments.memory, "progress": say}
    frames, begun, candidates = read_frames(path), 0, None
    if design.after is None:
        existing = existing_set([design.existing], described, say)
        task = make_task(files, design, described, budget=part.budget, existing=existing, **settings)
    else:
        labelled = results / "labels" / f"{design.after.design}.extxyz"
        learnt, before = Learnt.read(results / "rounds" / name / "learnt.json"), read_frames(labelled)
        settings |= {"learnt": learnt, "labelled": labelled, "before": before}
        task, candidates, _ = continued(files, design, described, budget=part.budget, **settings)
        begun = len(before)
    quotas = quotas_of(shards(places, "npz"), design)
    told = _told(frames[begun:], candidates)
    if told is None:
        print(f"{path}: nothing to verify; it adds no structure to {design.after.design}")
        return
    if quotas is None:
        wrong = design.member.first_wrong_rank(task, told)
    else:
        wrong = first_wrong_rank(design.member, task, quotas, told)
    if wrong is not None:
        raise ProgramError(f"{path}: not exact; rank {begun + wrong.rank}: {wrong.reason}.")
    print(f"{path}: exact; {len(frames) - begun} ranks against all {task.pool.size} candidates of pool {design.pool}")


def _told(frames: Sequence[Atoms], candidates: np.ndarray | None) -> Selection | None:
    """Return what the frames of a design say of their choice; None if there are none.

    Parameters
    ----------
    frames : sequence of Atoms
    candidates : (n,) int64, optional
        Candidates that could be chosen, where that is not all of them; they are numbered from 0 then.
    """
    import numpy as np

    from gapdesign.methods import Selection

    if not frames:
        return None
    columns = {"candidates": "candidate", "distances": "distance", "outside": "outside"}
    told = {column: np.array([atoms.info[key] for atoms in frames]) for column, key in columns.items()}
    if candidates is not None:
        told["candidates"] = np.searchsorted(candidates, told["candidates"])
    scores = np.array([atoms.info["score"] for atoms in frames]) if "score" in frames[0].info else None
    return Selection(**told, scores=scores)
