"""Verbs that judge designs before any label: quality, concatenate, regrow, raise, curves."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np

from gapdesign.cli.arguments import (
    add,
    add_design,
    add_files,
    add_memory,
    add_output,
    add_scaling,
    add_search,
    by_name,
    choose,
    progress,
    say,
)
from gapdesign.cli.design import add_selection, task_of
from gapdesign.cli.parts.features import DistancePart, FeaturePart
from gapdesign.cli.parts.selection import Design, PricesPart, SelectionPart
from gapdesign.config.job import Job, of_selection
from gapdesign.config.keys import Budget
from gapdesign.config.part import From
from gapdesign.errors import InputError
from gapdesign.methods.designs import LEFT
from gapdesign.quality.options import QualityOptions
from gapdesign.quality.subpools import subpool_sizes

if TYPE_CHECKING:
    from ase import Atoms

    from gapdesign.inputs.frames import Frame

IsOrdered = Annotated[bool, From(lambda at: at.pool.is_ordered)]
"""Whether neighbouring candidates of the pool are more alike than others."""


class QualityPart(DistancePart):
    """Keys that the measures of a design depend on, besides its features."""

    design: Design
    budget: Budget
    engine: PricesPart


class RegrowPart(SelectionPart):
    """Keys that a design from a smaller pool depends on, besides that pool."""

    usual: ClassVar = {"halvings": None}
    budget: Budget
    subpools: Annotated[tuple[int, ...], From(lambda at: tuple(at.study.subpools(at.design_name)))]
    halvings: Annotated[int | None, From(lambda at: at.study.quality.subpools if at.pool.growth else None)]
    is_ordered: IsOrdered

    def sizes(self, whole: int) -> tuple[int, ...]:
        """Return the sizes of the smaller pools of a pool with so many candidates, known once it has grown."""
        if self.halvings is None:
            return self.subpools
        found = subpool_sizes(whole, self.budget, self.halvings, is_light=self.design.member.is_light)
        return tuple(found)


class RaisePart(SelectionPart):
    """Keys that a design with more core-hours depends on, besides its pool."""

    budget: Budget


class CurvesPart(DistancePart):
    """Keys that the tables of one pool on the design page depend on, besides its designs."""

    seed: int
    budget: Budget
    quality: QualityOptions
    is_ordered: IsOrdered
    engine: PricesPart
    existing: Annotated[tuple[str, ...], From(lambda at: at.study.existing_from(at.pool_name))]
    features: FeaturePart


QUALITY = Job(
    verb="quality",
    rule="design_quality",
    stage="design",
    reads=QualityPart,
    allowance=of_selection,
    minutes=60,
    works_on="designs/{design}.extxyz",
)
REGROW = Job(
    verb="regrow",
    rule="design_regrow",
    stage="design",
    reads=RegrowPart,
    allowance=of_selection,
    minutes=120,
)
RAISE = Job(
    verb="raise",
    rule="design_raise",
    stage="design",
    reads=RaisePart,
    allowance=of_selection,
    minutes=240,
    threads=2,
    works_on="designs/{design}.extxyz",
)
CURVES = Job(
    verb="curves",
    rule="design_curves",
    stage="design",
    reads=CurvesPart,
    allowance=of_selection,
    minutes=120,
)
CONCATENATE = Job(verb="concatenate", rule="quality", stage="design")
JOBS = (QUALITY, CONCATENATE, REGROW, RAISE, CURVES)


def register(verbs: argparse._SubParsersAction) -> None:
    """Add the verbs of this module."""
    verb = add(
        verbs,
        QUALITY,
        _quality,
        "measure the quality of a design before any label",
        "Writes one row of quality.csv; the report explains the columns.",
    )
    add_design(verb)
    add_files(verb, "--features", "all shards of features of its pool (.npy)")
    add_files(verb, "--designs", "features of every design of the study (.npy)")
    verb.add_argument("--structures", required=True, type=Path, metavar="FILE", help="the design (.extxyz)")
    add_memory(verb)
    add_output(verb, what="table of one row to write (.csv)")

    verb = add(verbs, CONCATENATE, _concatenate, "concatenate tables that have the same columns")
    add_files(verb, "--tables", "tables, in order (.csv)")
    add_output(verb, what="table to write (.csv)")

    verb = add(
        verbs,
        REGROW,
        _regrow,
        "choose a design again from a random half of its pool, a quarter, and so on",
        "Writes one row per structure: candidates of the smaller pool, rank, candidate.",
    )
    add_design(verb)
    add_search(verb)
    add_output(verb, what="candidates chosen, to write (.csv)")

    verb = add(
        verbs,
        RAISE,
        _raise,
        "choose a design again with more core-hours, and measure what they buy",
        "Only for designs with a budget of core-hours. Writes a row for the design and for each larger budget.",
    )
    add_selection(verb)
    verb.add_argument("--structures", required=True, type=Path, metavar="FILE", help="the design (.extxyz)")
    add_output(verb, what="table to write (.csv)")

    verb = add(
        verbs,
        CURVES,
        _curves,
        "measure the designs of a pool against budget and pool size, beside random draws",
        "Writes the tables of one pool for the design page.",
    )
    verb.add_argument("--pool", required=True, help="name of the pool")
    add_files(verb, "--candidates", "all shards of candidates of the pool (.npz)")
    add_files(verb, "--features", "all shards of features of the pool (.npy)")
    add_files(verb, "--designs", "its designs (.extxyz)")
    add_files(verb, "--regrown", "designs chosen again from smaller pools (.csv, one per design)", may_be_none=True)
    add_files(verb, "--polished", "features of those that are polished (.npy)", may_be_none=True)
    add_memory(verb)
    add_output(verb, what="measures to write (.csv)")
    add_output(verb, "--output-members", "members of designs and random draws to write (.csv)")
    add_output(verb, "--output-coverage", "the pool and its designs on two components to write (.csv)")
    add_output(verb, "--output-pools", "table about the pool to write (.csv)")
    add_output(verb, "--output-groups", "groups of the pool in its designs to write (.csv)")
    add_output(verb, "--output-map", "map of the pool with its structures to write (.json, which chemiscope reads)")
    add_scaling(verb)


def _quality(arguments: argparse.Namespace, part: QualityPart) -> None:
    from dataclasses import asdict

    import pandas as pd

    from gapdesign.files import read_array, read_frames, write_csv
    from gapdesign.methods.designs import CORE_HOURS
    from gapdesign.methods.polish import POLISHED, PREFIX
    from gapdesign.methods.shared.resources import block_rows
    from gapdesign.quality import measures as quality
    from gapdesign.shards import FeaturePool

    design = part.design
    pool, covariance = FeaturePool(arguments.features), part.covariance
    features = {name: np.asarray(read_array(path)) for name, path in by_name(arguments.designs).items()}
    rows = block_rows(arguments.memory, pool.dimension, part.budget)
    prices, frames = part.engine.prices(say), read_frames(arguments.structures)
    row = {
        "design": arguments.design,
        "method": PREFIX * any(POLISHED in atoms.info for atoms in frames) + design.method,
        "pool": design.pool,
        **asdict(quality.measure(choose(arguments.design, features, "--designs"), pool, covariance, rows)),
        "label_core_hours": sum(atoms.info.get(CORE_HOURS) or prices(atoms) for atoms in frames),
        **quality.nearest_to_others(arguments.design, features, covariance),
    }
    write_csv(arguments.output, pd.DataFrame([quality.rounded(row)]))
    say(f"{arguments.design} measured against all {pool.size} candidates of pool {design.pool}")


def _concatenate(arguments: argparse.Namespace) -> None:
    import pandas as pd

    from gapdesign.files import read_csv, write_csv

    tables = [read_csv(path) for path in arguments.tables]
    full = [table for table in tables if len(table)] or tables[:1]
    write_csv(arguments.output, pd.concat(full, ignore_index=True))


def _regrow(arguments: argparse.Namespace, part: RegrowPart) -> None:
    from gapdesign.files import write_csv
    from gapdesign.quality.samples import order_of
    from gapdesign.quality.subpools import regrow

    design = part.design
    if not part.subpools:
        raise InputError(f"--design {arguments.design}: the configuration gives it no smaller pool to choose from.")
    task = task_of(arguments, part, part.budget)
    order = order_of(part.seed, design.pool, task.pool.size, is_ordered=part.is_ordered)
    write_csv(arguments.output, regrow(design.member, task, part.sizes(task.pool.size), order=order))


def _raise(arguments: argparse.Namespace, part: RaisePart) -> None:
    from gapdesign.files import write_csv
    from gapdesign.quality.raises import raised

    design = part.design
    if design.core_hours is None:
        raise InputError(f"--design {arguments.design}: no budget of core-hours ends it, so there is none to raise.")
    task = task_of(arguments, part, part.budget)
    candidates = [atoms.info["candidate"] for atoms in _members(arguments.structures)]
    table = raised(design.member, task, candidates)
    table.insert(0, "design", arguments.design)
    write_csv(arguments.output, table)


def _curves(arguments: argparse.Namespace, part: CurvesPart) -> None:
    from gapdesign.files import read_array, read_csv, write_csv, write_text
    from gapdesign.methods.tasks import existing_frames
    from gapdesign.quality.moved import Moved
    from gapdesign.quality.tables import pool_tables
    from gapdesign.report import map_structures
    from gapdesign.shards import FeaturePool, evenly

    pool = FeaturePool(arguments.features)
    designs = {name: _members(path) for name, path in by_name(arguments.designs).items()}
    moved = {name: read_array(path) for name, path in by_name(arguments.polished).items()}
    existing = [frame for path in part.existing for frame in existing_frames(path, part.features.species)[0]]
    shown = [existing[place] for place in evenly(len(existing), map_structures.EXISTING)] if existing else []
    tables = pool_tables(
        arguments.pool,
        pool,
        arguments.candidates,
        designs={name: np.array([a.info["candidate"] for a in frames], np.int64) for name, frames in designs.items()},
        regrown={name: read_csv(path) for name, path in by_name(arguments.regrown).items()},
        polished={name: Moved(choose(name, designs, "--designs"), features) for name, features in moved.items()},
        covariance=part.covariance,
        prices=part.engine.prices(say),
        options=part.quality,
        budget=_most(part.budget, designs),
        seed=part.seed,
        is_ordered=part.is_ordered,
        memory=arguments.memory,
        existing=_described(shown, part.features, arguments.scaling) if shown else None,
        progress=progress("designs and random draws measured"),
    )
    write_csv(arguments.output, tables.curves)
    write_csv(arguments.output_members, tables.members)
    write_csv(arguments.output_coverage, tables.coverage)
    write_csv(arguments.output_pools, tables.pools)
    write_csv(arguments.output_groups, tables.groups)
    dataset = map_structures.dataset(
        arguments.pool,
        tables.coverage,
        tables.pools.iloc[0],
        designs=designs,
        existing=list(zip(shown, tables.existing, strict=True)),
        existing_size=len(existing),
        shards=arguments.candidates,
    )
    write_text(arguments.output_map, map_structures.text(dataset))
    seen = min(pool.size, part.quality.sample)
    say(f"{len(designs)} designs and {part.quality.draws} random draws against {seen} of {pool.size} candidates")


def _most(budget: int, designs: Mapping[str, list[Atoms]]) -> int:
    """Return the structures in random draws: as many as asked for, or as in the largest design that core-hours end."""
    ends = [LEFT in frames[-1].info for frames in designs.values()]
    return max(map(len, designs.values())) if any(ends) else budget


def _described(frames: Sequence[Frame], part: FeaturePart, scaling: Path | None) -> np.ndarray:
    """Return features (m, dimension) of structures that designs start from."""
    from gapdesign.inputs.carried import packed

    say(f"describing {len(frames)} existing structures for the map")
    return part.make(scaling).features(packed(frames))


def _members(path: Path) -> list[Atoms]:
    """Return the members of a design, in the order chosen."""
    from gapdesign.files import read_frames

    frames = read_frames(path)
    if not frames:
        raise InputError(f"{path}: an empty design has nothing to measure.")
    return frames
