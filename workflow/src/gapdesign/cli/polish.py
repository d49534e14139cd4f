"""Verb that moves the structures of a design in the continuous parameters of their sampler: polish."""

from __future__ import annotations

import argparse
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from gapdesign.cli.arguments import add, add_design, add_files, add_memory, add_output, add_scaling, say
from gapdesign.cli.parts.selection import SelectionPart
from gapdesign.config.job import Job, of_selection
from gapdesign.config.keys import Budget
from gapdesign.config.options import Identifier
from gapdesign.config.part import From
from gapdesign.errors import InputError, ProgramError
from gapdesign.methods.polish import PolishOptions
from gapdesign.methods.tasks import PoolFiles
from gapdesign.prototypes import PrototypeOptions
from gapdesign.samplers.options import Sampling

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from ase import Atoms

    from gapdesign.methods.base import Task
    from gapdesign.methods.polish import Summary
    from gapdesign.samplers.shared.space import Space
    from gapdesign.structures import Batch

    Describe = Callable[[Batch], np.ndarray]


class PolishPart(SelectionPart):
    """Keys that a polished design depends on, besides the design as chosen."""

    budget: Budget
    polish: Annotated[PolishOptions | None, From(lambda at: at.design.polish)]
    prototypes: dict[Identifier, PrototypeOptions]
    sampling: Annotated[Sampling, From(lambda at: at.pool.sampling)]

    def space(self) -> Space:
        """Return the parameters of the sampler of the design's pool."""
        from gapdesign.prototypes import prototypes
        from gapdesign.samplers.shared.space import Space

        return Space(self.sampling, prototypes(self.prototypes), seed=self.seed, pool=self.design.pool)


POLISH = Job(
    verb="polish",
    rule="design_polish",
    stage="design",
    reads=PolishPart,
    allowance=of_selection,
    minutes=240,
    works_on="designs/{design}.extxyz",
)
JOBS = (POLISH,)


def register(verbs: argparse._SubParsersAction) -> None:
    """Add the verbs of this module."""
    verb = add(
        verbs,
        POLISH,
        _polish,
        "move the structures of a design in the continuous parameters of their sampler, as long as that improves it",
        "Only for designs with the key `polish`. A structure keeps its prototype, the bounds of the sampler and the\n"
        "constraints of the pool. It carries pool, candidate and rank that it began as, whether it moved (polished),\n"
        "its parameters and its distance from the ranks before it. The reserve stays as chosen, with its distances\n"
        "from the new design.",
    )
    add_design(verb)
    verb.add_argument("--chosen", required=True, type=Path, metavar="FILE", help="the design as chosen (.extxyz)")
    verb.add_argument("--chosen-reserve", required=True, type=Path, metavar="FILE", help="its reserve (.extxyz)")
    verb.add_argument(
        "--chosen-reserve-features", required=True, type=Path, metavar="FILE", help="features of that (.npy)"
    )
    add_files(verb, "--candidates", "all shards of candidates of the pool (.npz)")
    add_files(verb, "--features", "all shards of features of the pool (.npy)")
    add_files(verb, "--sums", "sums of all shards of features (.npy)")
    add_scaling(verb)
    add_memory(verb)
    add_output(verb, what="design to write (.extxyz)")
    add_output(verb, "--output-features", "features of the design to write (.npy)")
    add_output(verb, "--output-reserve", "reserve to write (.extxyz)")
    add_output(verb, "--output-reserve-features", "features of the reserve to write (.npy)")
    add_output(verb, "--output-summary", "what was raised, before and after, to write (.json)")


def _polish(arguments: argparse.Namespace, part: PolishPart) -> None:
    import numpy as np

    from gapdesign.files import read_array, read_frames, write_array, write_frames, write_json
    from gapdesign.methods import polish
    from gapdesign.methods.shared.distance import down_the_features
    from gapdesign.methods.shared.resources import one_blas_thread

    if part.polish is None:
        raise InputError(f"--design {arguments.design}: the configuration does not say `polish` of it.")
    chosen = read_frames(arguments.chosen)
    if not chosen:
        raise InputError(f"{arguments.chosen}: an empty design has nothing to polish.")
    files = PoolFiles(features=arguments.features, sums=arguments.sums)
    task, describe = _task(files, part, arguments.scaling, arguments.memory)
    candidates = _candidates(chosen, arguments.candidates)
    with one_blas_thread():
        criterion = part.design.member.criterion(task, task.pool.rows(candidates.candidates))
        found = polish.polish(criterion, part.space(), candidates, describe, task.covariance, part.polish, say)
    reserve, behind = read_frames(arguments.chosen_reserve), np.asarray(read_array(arguments.chosen_reserve_features))
    distances = down_the_features(task, np.concatenate([criterion.features, behind]))
    for atoms, distance in zip(reserve, distances[len(chosen) :], strict=True):
        atoms.info["distance"] = float(distance)
    write_array(arguments.output_features, criterion.features)
    write_frames(arguments.output, polish.frames(found, chosen, distances))
    write_frames(arguments.output_reserve, reserve)
    write_array(arguments.output_reserve_features, behind)
    write_json(arguments.output_summary, asdict(found.summary))
    say(f"{_in_words(found.summary)}; {found.summary.described} structures described")


def verify(path: Path, part: PolishPart, files: PoolFiles, scaling: Path | None, memory: int) -> None:
    """Prove what can be proved of a polished design in the results of its study, and say so.

    Parameters
    ----------
    path : path
        The design.
    part : PolishPart
    files : PoolFiles
        Features, sums and candidates of its pool.
    scaling : path, optional
    memory : int
        In MiB.

    Raises
    ------
    ProgramError
        If something is wrong with it.
    """
    from gapdesign.files import read_array, read_frames, read_json
    from gapdesign.methods.polish import Summary
    from gapdesign.methods.polish_check import Claims, first_fault
    from gapdesign.methods.shared.distance import down_the_features

    task, describe = _task(files, part, scaling, memory)
    chosen = read_frames(path.parent / "chosen" / path.name)
    summary = Summary(**read_json(path.parent / "polished" / f"{path.stem}.json"))
    claims = Claims(frames=read_frames(path), features=read_array(path.with_suffix(".npy")), summary=summary)
    fault = first_fault(
        claims,
        _candidates(chosen, files.candidates),
        chosen,
        space=part.space(),
        describe=describe,
        criterion=lambda features: part.design.member.criterion(task, features),
        distances=lambda features: down_the_features(task, features),
    )
    if fault is not None:
        raise ProgramError(f"{path}: not what it says; {fault}.")
    print(
        f"{path}: {_in_words(summary)}, computed again; all within the bounds of the sampler and the constraints of"
        f" pool {part.design.pool}. A polished order has no certificate."
    )


def _task(files: PoolFiles, part: PolishPart, scaling: Path | None, memory: int) -> tuple[Task, Describe]:
    """Return the task of a design, and the function that describes structures."""
    from gapdesign.methods.tasks import existing_set, make_task

    described = replace(part.described, scaling=scaling)
    existing = existing_set([part.design.existing], described, say)
    given = {"budget": part.budget, "seed": "", "existing": existing, "memory": memory, "progress": say}
    return make_task(files, part.design, described, **given), described.make().features


def _candidates(chosen: Sequence[Atoms], shards: Sequence[Path]) -> Batch:
    """Return the candidates that a design consists of, from the shards of its pool."""
    import numpy as np

    from gapdesign.methods.designs import batch

    return batch(np.array([atoms.info["candidate"] for atoms in chosen], np.int64), shards)


def _in_words(told: Summary) -> str:
    changed = f"{told.criterion} {told.after:.6g}, {told.before:.6g} as chosen"
    return f"{told.moved} of {told.ranks} structures moved, {changed}"
