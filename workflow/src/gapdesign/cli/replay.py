"""Verbs of the stage replay up to the designs: basis, rows, labels, common start of all potentials, choices."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import SerializeAsAny, ValidationInfo, field_validator

from gapdesign.cli.arguments import add, add_files, add_output, progress, say
from gapdesign.cli.design import add_selection, task_of
from gapdesign.cli.parts.selection import SelectionPart
from gapdesign.config.job import Job, of_selection
from gapdesign.config.part import From, Part
from gapdesign.engines.file import FileOptions
from gapdesign.errors import InputError
from gapdesign.models import MODELS
from gapdesign.replay.options import Budgets, CoreHourBudgets

if TYPE_CHECKING:
    from gapdesign.models.linear import Linear
    from gapdesign.replay.labels import LabelledRows


Core = Annotated[str | None, From(lambda at: at.study.replay.core)]
"""The pool that is part of every training set of the replay, if there is one."""


Test = Annotated[float | str, From(lambda at: at.study.replay.tested)]
"""The share of the candidates, or the pool, that no potential is trained on."""


class KindPart(Part):
    """The kind of model that is fitted."""

    kind: Annotated[str, From(lambda at: at.study.replayed.kind)]

    @property
    def linear(self) -> Linear:
        """How many of its models are fitted in one basis."""
        return MODELS[self.kind].linear()

    @field_validator("functions", "weights", mode="before", check_fields=False)
    @classmethod
    def _typed(cls, given: Any, info: ValidationInfo) -> Any:
        """Read what parts derived from this add with the classes of the kind."""
        if not isinstance(given, dict) or "kind" not in info.data:  # what is wrong with it is said anyway
            return given
        return getattr(MODELS[info.data["kind"]].linear(), info.field_name)(**given)


class FunctionsPart(KindPart):
    """Keys that the functions of the potentials depend on."""

    functions: Annotated[SerializeAsAny[Part], From(lambda at: at.study.replayed.member.linear().functions.of(at))]


class WeightsPart(KindPart):
    """Keys that coefficients depend on, besides functions and labels."""

    weights: Annotated[SerializeAsAny[Part], From(lambda at: at.study.replayed.member.linear().weights.of(at))]


class LabelsPart(Part):
    """Files with the labels of whole pools."""

    files: Annotated[FileOptions, From(lambda at: at.study.labels.file)]


class StartPart(FunctionsPart, WeightsPart, LabelsPart):
    """Keys that the common start of all potentials depends on."""

    core: Core


class ChoosePart(SelectionPart):
    """Keys that the designs of every budget depend on, besides their pool."""

    budgets: Annotated[Budgets, From(lambda at: at.study.replay.budgets)]
    test: Test
    draws: Annotated[int, From(lambda at: at.study.replay.draws)]


POINTS = Job(verb="replay-points", rule="replay_points", stage="replay", reads=FunctionsPart, memory=4000, minutes=120)
ROWS = Job(verb="replay-rows", rule="replay_rows", stage="replay", reads=FunctionsPart, memory=2000, minutes=120)
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
        "gather the common part of all training sets, and write a potential that others are made from",
        "The common part is the basis, the isolated atoms and the core.",
    )
    _add_points(verb)
    add_rows(verb)
    _add_engine(verb)
    add_output(verb, what="common part to write; for GAPs a factor (.npy)")
    add_output(verb, "--output-potential", "potential to write; for GAPs .xml")

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


def _points(arguments: argparse.Namespace, part: FunctionsPart) -> None:
    from gapdesign.structures import read_structures

    say(part.functions.choose(partial(read_structures, arguments.candidates), arguments.output))


def _rows(arguments: argparse.Namespace, part: FunctionsPart) -> None:
    from gapdesign.files import atomic
    from gapdesign.models.shared.leastsquares import offsets
    from gapdesign.structures import read_batch

    rows, batch = part.functions.rows(arguments.points), read_batch(arguments.candidates)
    ends, tell = offsets(np.diff(batch.offsets)), progress("structures")
    with atomic(arguments.output) as temporary:
        shape = (int(ends[-1]), len(rows))
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
    from gapdesign.replay.fits import trained
    from gapdesign.replay.labels import LabelFiles

    known, functions, points = pools(arguments), part.functions, arguments.points
    _refuse_other_files(arguments, part)
    isolated = LabelFiles(part.files).atoms()
    core = {part.core: range(len(known[part.core].labels.sizes))} if part.core else {}
    start = trained(part.weights.begin(functions, points, isolated), known, core)
    start.write(arguments.output)
    say(f"begun with the isolated atoms and {sum(map(len, core.values()))} structures")
    part.weights.template(functions, points, isolated, start, arguments.output_potential)


def _choose(arguments: argparse.Namespace, part: ChoosePart) -> None:
    from gapdesign.files import write_csv
    from gapdesign.methods.designs import with_frames
    from gapdesign.methods.tasks import quotas_of
    from gapdesign.replay.choices import choices
    from gapdesign.replay.testset import left_out, without

    design = part.design
    is_priced = isinstance(part.budgets, CoreHourBudgets)
    if is_priced and not arguments.costs:
        raise InputError("--costs: budgets of core-hours need the cost of every candidate; run `gapdesign costs`.")
    budgets = part.budgets.core_hours if is_priced else part.budgets
    task = task_of(arguments, part, 1)
    share = 0.0 if isinstance(part.test, str) else part.test
    task, rest = without(task, left_out(part.seed, design.pool, task.pool.size, share))
    quotas = quotas_of(arguments.candidates, design, among=rest)
    table = choices(
        design.member,
        task,
        arguments.design,
        budgets=budgets,
        draws=part.draws,
        quotas=quotas and {budget: quotas.scaled(budget / design.budget) for budget in budgets},
        is_priced=is_priced,
    )
    table = table.assign(candidate=rest[table["candidate"]])
    write_csv(arguments.output, with_frames(table, arguments.candidates))


def pools(arguments: argparse.Namespace) -> dict[str, LabelledRows]:
    """Return the rows and labels of pools by name."""
    from gapdesign.replay.labels import LabelledRows, Labels
    from gapdesign.shards import in_order

    shards = {path.stem: [own for own in arguments.rows if own.parent.name == path.stem] for path in arguments.labels}
    return {path.stem: LabelledRows(in_order(shards[path.stem])[0], Labels.read(path)) for path in arguments.labels}
