"""Verbs of the stage rounds: what labels say, the next choice by that, and what it was worth."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from gapdesign.cli.arguments import add, add_design, add_files, add_kind, add_output, add_scaling, model_of, say
from gapdesign.cli.design import SelectPart, add_selection, pool_files
from gapdesign.cli.parts.selection import PricesPart, SelectionPart
from gapdesign.config.job import Job, of_selection
from gapdesign.config.part import At, From
from gapdesign.errors import InputError
from gapdesign.models.options import DEFAULT

if TYPE_CHECKING:
    from gapdesign.rounds.learnt import CostLaw, RowScales
    from gapdesign.rounds.options import AfterOptions


def _prices(at: At) -> PricesPart | None:
    return None if at.study.core_hours_of(at.design_name) is None else PricesPart.of(at)


class LearnPart(SelectionPart):
    """Keys that the choice of the next round depends on, besides labels and the pool."""

    kind: Annotated[str, From(lambda at: at.model.kind)]
    prices: Annotated[PricesPart | None, From(_prices)]


LEARN = Job(verb="round-learn", rule="rounds_learn", stage="rounds", reads=LearnPart, memory=4000, minutes=120)
CHOOSE = Job(
    verb="round-choose",
    rule="rounds_choose",
    stage="rounds",
    reads=SelectPart,
    allowance=of_selection,
    minutes=120,
    threads=2,
    works_on="designs/{design}.extxyz",
)
JUDGE = Job(
    verb="round-judge", rule="rounds_judge", stage="rounds", memory=2000, minutes=120, works_on="labels/{design}.extxyz"
)
JOBS = (LEARN, CHOOSE, JUDGE)


def register(verbs: argparse._SubParsersAction) -> None:
    """Add the verbs of this module."""
    verb = add(
        verbs,
        LEARN,
        _learn,
        "find what the labels of a design say to the one that continues it",
        "The scales of the kernel in its model; the expected errors of labels and the scale of energies at which its\n"
        "labels are most likely, for methods that go by rows of labels; and which candidates got no label.",
    )
    add_design(verb)
    verb.add_argument("--labelled", required=True, type=Path, metavar="FILE", help="design that is continued (.extxyz)")
    verb.add_argument("--isolated", required=True, type=Path, metavar="FILE", help="labelled isolated atoms (.extxyz)")
    verb.add_argument(
        "--hyperparameters", required=True, type=Path, metavar="FILE", help="hyperparameters of its model (.json)"
    )
    add_files(verb, "--failed", "tables of structures without a label (.csv)", may_be_none=True)
    verb.add_argument("--functions", type=Path, metavar="FILE", help="functions that rows are made of (.npz)")
    add_scaling(verb)
    verb.add_argument(
        "--costs", type=Path, metavar="FILE", help="what the labels of the design cost by the clock (.csv)"
    )
    add_output(verb, what="what they say, to write (.json)")

    verb = add(
        verbs,
        CHOOSE,
        _choose,
        "continue a labelled design by what its labels say",
        "Writes the whole design: the labelled structures of the design that is continued, and behind them the next\n"
        "ones. With `stop`, none is added where they are not worth it.",
    )
    add_selection(verb)
    verb.add_argument("--learnt", required=True, type=Path, metavar="FILE", help="what labels say (.json)")
    verb.add_argument("--labelled", required=True, type=Path, metavar="FILE", help="design that is continued (.extxyz)")
    add_files(verb, "--earlier-features", "features of that design, and of its reserve (.npy)")
    verb.add_argument(
        "--judged", type=Path, metavar="FILE", help="what that design was worth, if that may end it (.csv)"
    )
    add_output(verb, what="design to write (.extxyz)")
    add_output(verb, "--output-features", "features of the design to write (.npy)")
    add_output(verb, "--output-reserve", "reserve to write (.extxyz)")
    add_output(verb, "--output-reserve-features", "features of the reserve to write (.npy)")
    add_output(verb, "--output-expected", "what is expected of the next structures, to write (.json)")

    verb = add(
        verbs,
        JUDGE,
        _judge,
        "test earlier models on the structures that a round adds, which they have not seen",
        "Writes one row of rounds.csv.",
    )
    add_design(verb)
    add_kind(verb, DEFAULT)
    verb.add_argument("--labelled", required=True, type=Path, metavar="FILE", help="the design with labels (.extxyz)")
    verb.add_argument(
        "--before", required=True, type=Path, metavar="FILE", help="design that it continues, with labels (.extxyz)"
    )
    verb.add_argument("--expected", required=True, type=Path, metavar="FILE", help="what was expected (.json)")
    add_files(verb, "--potentials", "model of the design that it continues, and the one before that, if any")
    add_output(verb, what="table of one row to write (.csv)")


def _after(arguments: argparse.Namespace, part: SelectionPart) -> AfterOptions:
    """Return the design that one continues, and how.

    Raises
    ------
    InputError
        If it continues none.
    """
    if part.design.after is None:
        raise InputError(f"--design {arguments.design}: it continues no design; use `gapdesign select`.")
    return part.design.after


def _learn(arguments: argparse.Namespace, part: LearnPart) -> None:
    from gapdesign.files import read_csv, read_json
    from gapdesign.rounds.learnt import Learnt

    after, found = _after(arguments, part), read_json(arguments.hyperparameters)
    tables = [read_csv(path) for path in arguments.failed]
    failed = {(str(row["pool"]), int(row["candidate"])) for table in tables for row in table.to_dict("records")}
    soap, pair = _kernel_scales(part, found)
    learns = after.rescaled and part.design.reads_rows and part.design.member.expected_errors(part.design.options)
    rows = _row_scales(arguments, part) if learns else None
    costs, spent = _costs(arguments, part)
    learnt = Learnt(after.design, soap, pair, found["noise"], rows, costs, spent, sorted(failed))
    learnt.write(arguments.output)
    say(f"{len(failed)} candidates got no label, and are not chosen again")


def _costs(arguments: argparse.Namespace, part: LearnPart) -> tuple[CostLaw | None, float]:
    """Return the law by which labels cost more or less than expected, and the core-hours of those that are there."""
    from gapdesign.files import read_csv, read_frames
    from gapdesign.rounds.learnt import CostLaw

    if part.prices is None:
        return None, 0.0
    prices = part.prices.prices(say)
    expected = np.array([prices(atoms) for atoms in read_frames(arguments.labelled)])
    if arguments.costs is None:
        return None, float(expected.sum())
    measured = read_csv(arguments.costs)["core_hours"].to_numpy(float)
    there = np.isfinite(measured)
    law = CostLaw.of(expected[there], measured[there])
    if law is None:
        say("no label of the design was timed: costs stay as they were expected")
        return None, float(expected.sum())
    say(
        f"{law.structures} labels cost {measured[there].sum():.3g} core-hours by the clock, expected were"
        f" {expected[there].sum():.3g}; labels cost {law.unit:.3g} times the {law.power:.3g}th power of that, within a"
        f" factor of {np.exp(law.scatter):.2f}"
    )
    return law, float(np.where(there, measured, law(expected)).sum())


def _kernel_scales(part: LearnPart, found: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """Return the scales of the kernel in the model of a design, where its labels determine them."""
    after = part.design.after
    scales = model_of(part.kind).kernel_scales(found) if after.rescaled else None
    if scales is None:
        return None, None
    told = f"scales of the kernel in the model of {after.design}: SOAP {scales[0]:.3g} eV, pairs {scales[1]:.3g} eV"
    if {"soap_scale", "pair_scale"} & set(found["at_bound"]):
        say(f"{told}; one is at a bound, and not determined by the labels: those of the configuration stay")
        return None, None
    say(told)
    return scales


def _row_scales(arguments: argparse.Namespace, part: LearnPart) -> RowScales:
    """Return the expected errors and the scale of energies at which the labels of a design are most likely."""
    from gapdesign.files import read_frames
    from gapdesign.models.shared.labels import energies_of_atoms
    from gapdesign.rounds.learnt import row_scales, targets
    from gapdesign.rows.functions import RowFunctions
    from gapdesign.structures import pack

    described = replace(part.described, scaling=arguments.scaling).make()
    frames = read_frames(arguments.labelled)
    functions, batch = RowFunctions.read(arguments.functions), pack(frames)
    alone = dict(zip(part.species, energies_of_atoms(read_frames(arguments.isolated), part.species), strict=True))
    parts = (
        (functions.rows(described, batch, k).astype(float), targets(atoms, alone)) for k, atoms in enumerate(frames)
    )
    start = part.design.member.expected_errors(part.design.options) | {"scale": part.kernel.soap.scale}
    return row_scales(parts, len(functions), start, say)


def _choose(arguments: argparse.Namespace, part: SelectPart) -> None:
    from gapdesign.files import read_array, read_csv, write_array, write_frames, write_json
    from gapdesign.labels.members import read_members
    from gapdesign.rounds.continued import chosen, continued, without_labels
    from gapdesign.rounds.gains import expected_gain
    from gapdesign.rounds.judged import is_enough
    from gapdesign.rounds.learnt import Learnt

    design, after = part.design, _after(arguments, part)
    learnt, before = Learnt.read(arguments.learnt), read_members(arguments.labelled)
    ranks = [atoms.info["rank"] for atoms in before]
    features = np.concatenate([read_array(path) for path in arguments.earlier_features])
    if max(ranks, default=0) >= len(features):
        raise InputError(
            f"--earlier-features: {len(features)} structures, and {arguments.labelled} has rank {max(ranks)}; give the"
            " features of that design and of its reserve."
        )
    known = features[ranks]
    found = continued(
        pool_files(arguments),
        design,
        replace(part.described, scaling=arguments.scaling),
        learnt=learnt,
        labelled=arguments.labelled,
        before=before,
        budget=part.budget,
        seed=f"{part.seed}/design/{arguments.design}",
        memory=arguments.memory,
        threads=arguments.threads,
        progress=say,
    )
    batch, pool = chosen(found, design, arguments.candidates, reserve=part.reserve), found.task.pool
    noise = learnt.noise_share(part.kernel)
    gain = expected_gain(known, batch.features[: batch.added], pool, found.task.covariance, noise=noise)
    say(f"{batch.added} structures are expected to lower the model's own deviation over the pool by {gain:.1%}")
    row = read_csv(arguments.judged).to_dict("records")[0] if arguments.judged else None
    stopped = row is not None and is_enough(row, gain, after.stop)
    if stopped:
        batch = batch._replace(frames=[], features=batch.features[:0], reserved=0)
        say(f"that, and what the last ones were worth, is less than {after.stop:.1%}: none is added")
    frames = [*map(without_labels, before), *batch.frames]
    for rank, atoms in enumerate(frames):
        atoms.info["rank"] = rank
    features, end = np.concatenate([known, batch.features]), len(before) + batch.added
    write_array(arguments.output_features, features[:end])
    write_frames(arguments.output, frames[:end])
    write_array(arguments.output_reserve_features, features[end:])
    write_frames(arguments.output_reserve, frames[end:])
    write_json(arguments.output_expected, {"gain": float(f"{gain:.9g}"), "stopped": stopped})
    say(f"{len(before)} labelled structures of {learnt.after}, {batch.added} more, {batch.reserved} in reserve")


def _judge(arguments: argparse.Namespace) -> None:
    import pandas as pd

    from gapdesign.files import read_frames, read_json, write_csv
    from gapdesign.rounds.judged import COLUMNS, row

    expected, evaluator = read_json(arguments.expected), model_of(arguments.kind).evaluator
    model, *earlier = [evaluator(path) for path in arguments.potentials]
    found = row(
        arguments.design,
        arguments.before.stem,
        read_frames(arguments.labelled),
        read_frames(arguments.before),
        expected_gain=expected["gain"],
        stopped=expected["stopped"],
        model=model,
        earlier=earlier[0] if earlier else None,
    )
    write_csv(arguments.output, pd.DataFrame([found], columns=COLUMNS))
    say(
        f"{found['added']} structures that the model of {arguments.before.stem} has not seen: energies are off by"
        f" {found['energy_rmse_mev']:.3g} meV/atom, forces by {found['force_rmse_mev_a']:.3g} meV/angstrom"
    )
