"""Verbs of the stage replay, up to the designs: basis, rows, labels, what all potentials have in common, choices."""

from __future__ import annotations

import argparse
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gapdesign.cli.arguments import add, add_config, add_files, add_output, choose, progress, say
from gapdesign.cli.design import add_selection, existing_set, selection_task
from gapdesign.config import study as config

if TYPE_CHECKING:
    from gapdesign.replay.expansion import Model
    from gapdesign.replay.fits import Sigmas
    from gapdesign.replay.labels import LabelFiles, LabelledRows


def register(verbs: argparse._SubParsersAction) -> None:
    """Add the verbs of this module."""
    verb = add(
        verbs, "replay-points", _points, "choose what all potentials of the replay are expanded in, without labels"
    )
    add_config(verb)
    add_files(verb, "--candidates", "all shards of candidates of all pools (.npz)")
    add_output(verb, what="points to write (.npz)")

    verb = add(
        verbs, "replay-rows", _rows, "compute the rows of energies, virials and forces of one shard of candidates"
    )
    add_config(verb)
    verb.add_argument("--candidates", required=True, type=Path, metavar="FILE", help="shard of candidates (.npz)")
    _add_points(verb)
    add_output(verb, what="rows to write (.npy)")

    verb = add(verbs, "replay-labels", _labels, "find the labels of all candidates of a pool in the user's files")
    add_config(verb)
    verb.add_argument("--pool", required=True, help="name of the pool")
    add_files(verb, "--candidates", "all shards of candidates of the pool (.npz)")
    add_output(verb, what="labels to write (.npz)")

    verb = add(
        verbs,
        "replay-start",
        _start,
        "factorise what all training sets have in common, and write a potential that others are made from",
        "The basis, isolated atoms and the core.",
    )
    add_config(verb)
    _add_points(verb)
    add_rows(verb)
    add_output(verb, what="factor to write (.npy)")
    add_output(verb, "--output-potential", "potential to write (.xml)")

    verb = add(
        verbs,
        "replay-choose",
        _choose,
        "choose a design for every budget of the replay, several times where the method draws by chance",
    )
    add_config(verb)
    add_selection(verb)
    add_output(verb, what="table of candidates to write (.csv)")


def _add_points(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--points", required=True, type=Path, metavar="FILE", help="points of the basis (.npz)")


def add_rows(verb: argparse.ArgumentParser) -> None:
    """Add what :func:`pools` reads."""
    for flag, what in (
        ("--labels", "labels of pools, called after them (.npz)"),
        ("--rows", "all shards of rows of these pools, in folders called after them (.npy)"),
    ):
        verb.add_argument(flag, nargs="*", default=[], type=Path, metavar="FILE", help=what)


def _points(arguments: argparse.Namespace) -> None:
    from gapdesign.replay import expansion
    from gapdesign.streams import stream
    from gapdesign.structures import read_structures

    study = config.load(arguments.config)
    chosen = expansion.choose(
        partial(read_structures, arguments.candidates),
        study.species(),
        _model(study),
        points=study.replay.points,
        sample=study.replay.sample,
        per_length=study.model.sparse.points_per_length,
        rng=np.random.Generator(stream(f"{study.seed}/replay/points")),
    )
    chosen.write(arguments.output)
    say(f"{len(chosen)} points: " + ", ".join(f"{len(points)} of {key}" for key, points in chosen.terms()))


def _rows(arguments: argparse.Namespace) -> None:
    from gapdesign.files import atomic
    from gapdesign.replay.expansion import Expansion
    from gapdesign.replay.rows import LabelRows, offsets
    from gapdesign.structures import read_batch

    study, basis, batch = (
        config.load(arguments.config),
        Expansion.read(arguments.points),
        read_batch(arguments.candidates),
    )
    rows, ends, tell = LabelRows(basis, _model(study)), offsets(np.diff(batch.offsets)), progress("structures")
    with atomic(arguments.output) as temporary:
        shape = (int(ends[-1]), len(basis))
        # Not held in memory: a shard may have a gigabyte of them.
        written = np.lib.format.open_memmap(temporary, mode="w+", dtype=float, shape=shape)
        for k in range(len(batch)):
            written[ends[k] : ends[k + 1]] = rows(batch.atoms(k))
            tell(k + 1, len(batch))
        written.flush()
    say(f"{len(batch)} structures, {shape[0]} rows of {shape[1]}")


def _labels(arguments: argparse.Namespace) -> None:
    from gapdesign.structures import read_structures

    study = config.load(arguments.config)
    labels = _label_files(study).labels(read_structures(arguments.candidates), arguments.pool)
    labels.write(arguments.output)
    begin = labels.offsets[:-1]
    energies, virials = (int(np.isfinite(labels.values[begin + k]).sum()) for k in (0, 1))
    say(f"{len(labels.sizes)} structures: {energies} with an energy, {virials} with a virial")


def _start(arguments: argparse.Namespace) -> None:
    from gapdesign.files import write_array, write_text
    from gapdesign.models.gap.environments import boxed
    from gapdesign.replay import leastsquares
    from gapdesign.replay.expansion import Expansion
    from gapdesign.replay.fits import trained
    from gapdesign.replay.potential import gap_fit
    from gapdesign.replay.rows import LabelRows

    study, basis = config.load(arguments.config), Expansion.read(arguments.points)
    model, errors, known = _model(study), sigmas(study), pools(arguments)
    boxes = boxed(_label_files(study).atoms(), cutoff=max(model.soap.r_cut, model.kernel.pair.r_cut))
    rows = LabelRows(basis, model)
    alone = [(rows(box), np.r_[0.0, np.full(9, np.nan)], errors.of(1)) for box in boxes]
    factor = leastsquares.add(leastsquares.prior(basis.covariance(model)), alone)
    core = {study.replay.core: range(len(known[study.replay.core].labels.sizes))} if study.replay.core else {}
    factor = trained(factor, known, core, errors)
    write_array(arguments.output, factor)
    say(f"factorised with the isolated atoms and {sum(map(len, core.values()))} structures")
    own = {"energy": errors.energy, "force": errors.force, "virial": errors.virial}
    write_text(arguments.output_potential, gap_fit(basis, model, boxes, [], **own))


def _choose(arguments: argparse.Namespace) -> None:
    import pandas as pd

    from gapdesign import methods
    from gapdesign.files import read_array, write_csv
    from gapdesign.shards import FeaturePool

    study = config.load(arguments.config)
    design = choose(arguments.design, study.designs)
    pool, existing = FeaturePool(arguments.features), existing_set(study, design.existing)
    task = selection_task(study, arguments, pool, sum(map(read_array, arguments.sums)), existing)
    budgets = study.replay.budgets
    tables = []
    for draw in range(study.replay.draws if design.method in methods.BY_CHANCE else 1):
        mine = replace(task, seed=f"{task.seed}/draw/{draw}" if draw else task.seed)
        longest = budgets[-1:] if design.method in methods.PREFIX else budgets
        chosen = {
            budget: methods.select(
                design.method, study.kernel.structure, replace(mine, budget=budget), reserve=0
            ).candidates
            for budget in longest
        }
        for budget in budgets:
            candidates = chosen.get(budget, chosen[budgets[-1]][:budget])
            place = {"design": arguments.design, "draw": draw, "budget": budget}
            tables.append(pd.DataFrame({**place, "rank": np.arange(len(candidates)), "candidate": candidates}))
        say(f"{arguments.design}, draw {draw}: chosen for budgets of {', '.join(map(str, budgets))}")
    write_csv(arguments.output, pd.concat(tables, ignore_index=True))


def pools(arguments: argparse.Namespace) -> dict[str, LabelledRows]:
    """Rows and labels of pools by their names."""
    from gapdesign.replay.labels import LabelledRows, Labels
    from gapdesign.shards import in_order

    shards = {path.stem: [own for own in arguments.rows if own.parent.name == path.stem] for path in arguments.labels}
    return {path.stem: LabelledRows(in_order(shards[path.stem])[0], Labels.read(path)) for path in arguments.labels}


def _model(study: config.Study) -> Model:
    from gapdesign.replay.expansion import Model

    own = study.model
    return Model(
        soap=study.descriptor.soap, kernel=study.kernel, transition=own.soap_transition, jitter=own.sparse.jitter
    )


def sigmas(study: config.Study) -> Sigmas:
    """Expected errors of labels."""
    from gapdesign.replay.fits import Sigmas

    return Sigmas(study.replay.energy_sigma, study.model.sigma.force, study.model.sigma.virial)


def _label_files(study: config.Study) -> LabelFiles:
    from gapdesign.replay.labels import LabelFiles

    return LabelFiles(study.labels.file)
