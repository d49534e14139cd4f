"""Verbs of the stage replay up to the designs: basis, rows, labels, common start of all potentials, choices."""

from __future__ import annotations

import argparse
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np

from gapdesign.cli.arguments import add, add_files, add_output, progress, say
from gapdesign.cli.design import add_selection, pool_files
from gapdesign.cli.parts import AverageKernel, SelectionPart, Soap, Species, of_selection
from gapdesign.config.job import Job
from gapdesign.config.part import From, Part
from gapdesign.engines.file import FileOptions

if TYPE_CHECKING:
    from gapdesign.models.gap.expansion import Model
    from gapdesign.replay.fits import Sigmas
    from gapdesign.replay.labels import LabelledRows


Core = Annotated[str | None, From(lambda at: at.study.replay.core)]
"""The pool that is part of every training set of the replay, if there is one."""


Test = Annotated[float | str, From(lambda at: at.study.replay.tested)]
"""The share of the candidates, or the pool, that no potential is trained on."""


class SigmaPart(Part):
    """Expected errors of labels, by which they are weighted."""

    energy_sigma: Annotated[float, From(lambda at: at.study.replay.energy_sigma)]
    force_sigma: Annotated[float, From(lambda at: at.study.gap.sigma.force)]
    virial_sigma: Annotated[float, From(lambda at: at.study.gap.sigma.virial)]

    @property
    def sigmas(self) -> Sigmas:
        """The expected errors."""
        from gapdesign.replay.fits import Sigmas

        return Sigmas(self.energy_sigma, self.force_sigma, self.virial_sigma)


class ModelPart(Part):
    """Keys that the basis functions of the potentials depend on."""

    soap: Soap
    kernel: AverageKernel
    transition: Annotated[float, From(lambda at: at.study.gap.soap_transition)]
    jitter: Annotated[float, From(lambda at: at.study.gap.sparse.jitter)]

    @property
    def model(self) -> Model:
        """The kernels of the potentials."""
        from gapdesign.models.gap.expansion import Model

        return Model(soap=self.soap, kernel=self.kernel, transition=self.transition, jitter=self.jitter)


class PointsPart(ModelPart):
    """Keys that the points of the expansion depend on, besides the candidates."""

    seed: int
    species: Species
    points: Annotated[int, From(lambda at: at.study.replay.points)]
    sample: Annotated[int, From(lambda at: at.study.replay.sample)]
    per_length: Annotated[float, From(lambda at: at.study.gap.sparse.points_per_length)]


class LabelsPart(Part):
    """Files with the labels of whole pools."""

    files: Annotated[FileOptions, From(lambda at: at.study.labels.file)]


class StartPart(ModelPart, LabelsPart, SigmaPart):
    """Keys that the common start of all potentials depends on."""

    core: Core


class ChoosePart(SelectionPart):
    """Keys that the designs of every budget depend on, besides their pool."""

    budgets: Annotated[tuple[int, ...], From(lambda at: at.study.replay.budgets)]
    test: Test
    draws: Annotated[int, From(lambda at: at.study.replay.draws)]


POINTS = Job(verb="replay-points", rule="replay_points", stage="replay", reads=PointsPart, memory=4000, minutes=120)
ROWS = Job(verb="replay-rows", rule="replay_rows", stage="replay", reads=ModelPart, memory=2000, minutes=120)
LABELS = Job(verb="replay-labels", rule="replay_labels", stage="replay", reads=LabelsPart, memory=2000, minutes=60)
START = Job(verb="replay-start", rule="replay_start", stage="replay", reads=StartPart, memory=4000, minutes=120)
CHOOSE = Job(
    verb="replay-choose",
    rule="replay_choose",
    stage="replay",
    reads=ChoosePart,
    allowance=of_selection,
    minutes=240,
)
JOBS = (POINTS, ROWS, LABELS, START, CHOOSE)


def register(verbs: argparse._SubParsersAction) -> None:
    """Add the verbs of this module."""
    verb = add(
        verbs, POINTS, _points, "choose the basis in which all potentials of the replay are expanded, without labels"
    )
    add_files(verb, "--candidates", "all shards of candidates of all pools (.npz)")
    add_output(verb, what="points to write (.npz)")

    verb = add(verbs, ROWS, _rows, "compute the rows of energies, virials and forces of one shard of candidates")
    verb.add_argument("--candidates", required=True, type=Path, metavar="FILE", help="shard of candidates (.npz)")
    _add_points(verb)
    add_output(verb, what="rows to write (.npy)")

    verb = add(verbs, LABELS, _labels, "find the labels of all candidates of a pool in the user's files")
    verb.add_argument("--pool", required=True, help="name of the pool")
    add_files(verb, "--candidates", "all shards of candidates of the pool (.npz)")
    _add_engine(verb)
    add_output(verb, what="labels to write (.npz)")

    verb = add(
        verbs,
        START,
        _start,
        "factorise the common part of all training sets, and write a potential that others are made from",
        "The common part is the basis, the isolated atoms and the core.",
    )
    _add_points(verb)
    add_rows(verb)
    _add_engine(verb)
    add_output(verb, what="factor to write (.npy)")
    add_output(verb, "--output-potential", "potential to write (.xml)")

    verb = add(
        verbs,
        CHOOSE,
        _choose,
        "choose a design for every budget of the replay, several times where the method draws by chance",
    )
    add_selection(verb)
    add_output(verb, what="table of candidates to write (.csv)")


def _add_engine(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--engine", type=Path, metavar="FILE", help="version of the files when the run began, to compare with (.json)"
    )


def _refuse_other_files(arguments: argparse.Namespace, part: LabelsPart) -> None:
    """Check that the files are still what they were when the run began.

    Raises
    ------
    InputError
        If they are not.
    """
    from gapdesign.engines.file import FileEngine
    from gapdesign.files import read_json
    from gapdesign.labels.version import refuse_other

    if arguments.engine is not None and read_json(arguments.engine).get("engine") == FileEngine.name:
        refuse_other(FileEngine(part.files), arguments.engine)


def _add_points(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--points", required=True, type=Path, metavar="FILE", help="points of the basis (.npz)")


def add_rows(verb: argparse.ArgumentParser) -> None:
    """Add the files that :func:`pools` reads."""
    for flag, what in (
        ("--labels", "labels of pools, in files named after them (.npz)"),
        ("--rows", "all shards of rows of these pools, in folders named after them (.npy)"),
    ):
        add_files(verb, flag, what, may_be_none=True)


def _points(arguments: argparse.Namespace, part: PointsPart) -> None:
    from gapdesign.replay.points import choose
    from gapdesign.streams import stream
    from gapdesign.structures import read_structures

    chosen = choose(
        partial(read_structures, arguments.candidates),
        part.species,
        part.model,
        points=part.points,
        sample=part.sample,
        per_length=part.per_length,
        rng=np.random.Generator(stream(f"{part.seed}/replay/points")),
    )
    chosen.write(arguments.output)
    say(f"{len(chosen)} points: " + ", ".join(f"{len(points)} of {key}" for key, points in chosen.terms()))


def _rows(arguments: argparse.Namespace, part: ModelPart) -> None:
    from gapdesign.files import atomic
    from gapdesign.models.gap.expansion import Expansion
    from gapdesign.models.gap.rows import LabelRows
    from gapdesign.models.shared.leastsquares import offsets
    from gapdesign.structures import read_batch

    basis, batch = Expansion.read(arguments.points), read_batch(arguments.candidates)

    rows, ends, tell = LabelRows(basis, part.model), offsets(np.diff(batch.offsets)), progress("structures")
    with atomic(arguments.output) as temporary:
        shape = (int(ends[-1]), len(basis))
        # Not held in memory: a shard may have a gigabyte of them.
        written = np.lib.format.open_memmap(temporary, mode="w+", dtype=float, shape=shape)
        for k in range(len(batch)):
            written[ends[k] : ends[k + 1]] = rows(batch.atoms(k))
            tell(k + 1, len(batch))
        written.flush()
    say(f"{len(batch)} structures, {shape[0]} rows of {shape[1]}")


def _labels(arguments: argparse.Namespace, part: LabelsPart) -> None:
    from gapdesign.replay.labels import LabelFiles
    from gapdesign.structures import read_structures

    _refuse_other_files(arguments, part)
    files = LabelFiles(part.files)
    say(f"labels.file: {files.found}")
    labels = files.labels(read_structures(arguments.candidates), arguments.pool)
    labels.write(arguments.output)
    begin = labels.offsets[:-1]
    energies, virials = (int(np.isfinite(labels.values[begin + k]).sum()) for k in (0, 1))
    say(f"{len(labels.sizes)} structures: {energies} with an energy, {virials} with a virial")


def _start(arguments: argparse.Namespace, part: StartPart) -> None:
    from gapdesign.files import write_array, write_text
    from gapdesign.models.gap.environments import boxed
    from gapdesign.models.gap.expansion import Expansion
    from gapdesign.models.gap.rows import LabelRows
    from gapdesign.models.shared import leastsquares
    from gapdesign.replay.fits import trained
    from gapdesign.replay.labels import LabelFiles
    from gapdesign.replay.potential import gap_fit

    basis = Expansion.read(arguments.points)
    model, errors, known = part.model, part.sigmas, pools(arguments)
    _refuse_other_files(arguments, part)
    boxes = boxed(LabelFiles(part.files).atoms(), cutoff=max(model.soap.r_cut, model.kernel.pair.r_cut))
    rows = LabelRows(basis, model)
    alone = [(rows(box), np.r_[0.0, np.full(9, np.nan)], errors.of(1)) for box in boxes]
    factor = leastsquares.add(leastsquares.prior(basis.covariance(model)), alone)
    core = {part.core: range(len(known[part.core].labels.sizes))} if part.core else {}
    factor = trained(factor, known, core, errors)
    write_array(arguments.output, factor)
    say(f"factorised with the isolated atoms and {sum(map(len, core.values()))} structures")
    own = {"energy": errors.energy, "force": errors.force, "virial": errors.virial}
    write_text(arguments.output_potential, gap_fit(basis, model, boxes, [], **own))


def _choose(arguments: argparse.Namespace, part: ChoosePart) -> None:
    from gapdesign.files import write_csv
    from gapdesign.methods.designs import with_frames
    from gapdesign.methods.tasks import existing_set, make_task
    from gapdesign.replay.choices import choices
    from gapdesign.replay.testset import left_out, without

    design, described = part.design, replace(part.described, scaling=arguments.scaling)
    task = make_task(
        pool_files(arguments),
        design,
        described,
        budget=part.budgets[-1],
        seed=f"{part.seed}/design/{arguments.design}",
        existing=existing_set(design.existing, described, say),
        memory=arguments.memory,
        threads=arguments.threads,
        progress=say,
    )
    share = 0.0 if isinstance(part.test, str) else part.test
    task, rest = without(task, left_out(part.seed, design.pool, task.pool.size, share))
    table = choices(design.member, task, arguments.design, budgets=part.budgets, draws=part.draws)
    table = table.assign(candidate=rest[table["candidate"]])
    write_csv(arguments.output, with_frames(table, arguments.candidates))


def pools(arguments: argparse.Namespace) -> dict[str, LabelledRows]:
    """Return the rows and labels of pools by name."""
    from gapdesign.replay.labels import LabelledRows, Labels
    from gapdesign.shards import in_order

    shards = {path.stem: [own for own in arguments.rows if own.parent.name == path.stem] for path in arguments.labels}
    return {path.stem: LabelledRows(in_order(shards[path.stem])[0], Labels.read(path)) for path in arguments.labels}
