"""Verbs of what is known before any label: quality, regrow, curves, page."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gapdesign.cli.arguments import (
    add,
    add_config,
    add_design,
    add_files,
    add_memory,
    add_output,
    add_search,
    by_name,
    choose,
    progress,
    say,
)
from gapdesign.config import study as config
from gapdesign.errors import InputError

if TYPE_CHECKING:
    from gapdesign.quality.curves import Choice

TABLES = ("curves", "members", "coverage", "pools")
"""What is measured of each pool, and collected by the page."""


def register(verbs: argparse._SubParsersAction) -> None:
    """Add the verbs of this module."""
    verb = add(
        verbs,
        "quality",
        _quality,
        "measure what a design is worth before any label",
        "One row for quality.csv; the columns are explained in the report.",
    )
    add_config(verb)
    add_design(verb)
    add_files(verb, "--features", "all shards of features of its pool (.npy)")
    add_files(verb, "--designs", "features of every design of the study (.npy)")
    verb.add_argument("--structures", required=True, type=Path, metavar="FILE", help="the design (.extxyz)")
    add_memory(verb)
    add_output(verb, what="table of one row to write (.csv)")

    verb = add(
        verbs,
        "regrow",
        _regrow,
        "choose a design again from the first half of its pool, a quarter, and so on",
        "A row a structure: candidates of the smaller pool, rank, candidate.",
    )
    add_config(verb)
    add_design(verb)
    add_search(verb)
    add_output(verb, what="what was chosen (.csv)")

    verb = add(
        verbs,
        "curves",
        _curves,
        "measure the designs of a pool against budget and pool size, beside random draws",
        "The tables of the design page, of one pool.",
    )
    add_config(verb)
    verb.add_argument("--pool", required=True, help="name of the pool")
    add_files(verb, "--candidates", "all shards of candidates of the pool (.npz)")
    add_files(verb, "--features", "all shards of features of the pool (.npy)")
    add_files(verb, "--designs", "its designs (.extxyz)")
    verb.add_argument(
        "--regrown", nargs="*", default=[], type=Path, metavar="FILE", help="designs chosen again (.csv, by design)"
    )
    add_memory(verb)
    add_output(verb, what="measures to write (.csv)")
    add_output(verb, "--output-members", "members of designs and random draws to write (.csv)")
    add_output(verb, "--output-coverage", "the pool and its designs on two components to write (.csv)")
    add_output(verb, "--output-pools", "what is known of the pool to write (.csv)")

    verb = add(verbs, "page", _page, "write the design page: what is known before any label")
    add_config(verb)
    for table in TABLES:
        add_files(verb, f"--{table}", f"{table}.csv of every pool")
        add_output(verb, f"--output-{table}", f"{table} of all pools to write (.csv)")
    verb.add_argument("--quality", required=True, type=Path, metavar="FILE", help="quality.csv")
    add_files(verb, "--designs", "designs (.extxyz)")
    add_files(verb, "--features", "features of the designs (.npy)")
    add_output(verb, what="page to write (.html)")


def _quality(arguments: argparse.Namespace) -> None:
    from dataclasses import asdict

    import pandas as pd

    from gapdesign import engines, methods
    from gapdesign.files import read_array, read_frames, write_csv
    from gapdesign.quality import measures as quality
    from gapdesign.shards import FeaturePool

    study = config.load(arguments.config)
    design = choose(arguments.design, study.designs)
    pool, covariance = FeaturePool(arguments.features), study.covariance()
    features = {name: np.asarray(read_array(path)) for name, path in by_name(arguments.designs).items()}
    rows = methods.block_rows(arguments.memory, pool.dimension, study.budget)
    engine = engines.make(study.labels.engine, study.labels)
    row = {
        "design": arguments.design,
        "method": design.method,
        "pool": design.pool,
        **asdict(quality.measure(choose(arguments.design, features, "--designs"), pool, covariance, rows)),
        "label_core_hours": sum(engine.core_hours(atoms) for atoms in read_frames(arguments.structures)),
        **quality.nearest_to_others(arguments.design, features, covariance),
    }
    write_csv(arguments.output, pd.DataFrame([quality.rounded(row)]))
    say(f"{arguments.design} measured against all {pool.size} candidates of pool {design.pool}")


def _regrow(arguments: argparse.Namespace) -> None:
    import pandas as pd

    from gapdesign import methods
    from gapdesign.cli.design import existing_set
    from gapdesign.files import write_csv
    from gapdesign.methods.distance import mean_descriptor, total
    from gapdesign.methods.maxmin.compression import Directions
    from gapdesign.shards import FeaturePool

    study = config.load(arguments.config)
    design = choose(arguments.design, study.designs)
    pool, covariance = FeaturePool(arguments.features), study.covariance()
    existing = existing_set(study, design.existing)
    task = methods.Task(
        pool=pool,
        covariance=covariance,
        mean=np.zeros(pool.dimension, np.float32),
        budget=study.budget,
        seed=f"{study.seed}/design/{arguments.design}",
        options=design.options,
        existing=None if existing is None else existing[0],
        basis=Directions.read(arguments.basis, covariance.layout) if arguments.basis else None,
        threads=arguments.threads,
        memory=arguments.memory,
        progress=say,
    )
    tables, sums, known = [], np.zeros(pool.dimension, np.int64), 0
    for size in study.subpools(arguments.design):
        part = pool.first(size)
        for start, stop in part.ranges(methods.block_rows(arguments.memory, pool.dimension, 0)):
            if stop > known:
                sums += total(part.block(max(start, known), stop))
        known = size
        smaller = replace(
            task,
            pool=part,
            mean=mean_descriptor(sums, size, covariance.layout),
            start=design.start if design.start is not None and design.start < size else None,
            compressed=methods.hold(FeaturePool(arguments.compressed).first(size), arguments.memory)
            if arguments.compressed
            else None,
        )
        chosen = methods.method(design.method).select(smaller).candidates
        tables.append(pd.DataFrame({"candidates": size, "rank": np.arange(len(chosen)), "candidate": chosen}))
        say(f"{len(chosen)} of the first {size} candidates chosen")
    if not tables:
        raise InputError(f"--design {arguments.design}: the configuration gives it no smaller pool to choose from.")
    write_csv(arguments.output, pd.concat(tables, ignore_index=True))


def _curves(arguments: argparse.Namespace) -> None:
    import pandas as pd

    from gapdesign import engines, methods
    from gapdesign.files import write_csv
    from gapdesign.quality import curves
    from gapdesign.quality.maps import coverage
    from gapdesign.shards import FeaturePool

    study = config.load(arguments.config)
    pool, covariance, asked = FeaturePool(arguments.features), study.covariance(), study.quality
    rows = methods.block_rows(arguments.memory, pool.dimension, study.budget)
    sample = curves.SampledPool(pool, asked.sample)
    designs = _choices(arguments, pool.size)
    halves = curves.subpool_sizes(pool.size, study.budget, "random", asked.subpools)
    draws = curves.random_draws(
        arguments.pool, pool.size, halves, budget=min(study.budget, pool.size), draws=asked.draws, seed=study.seed
    )
    whole = [choice for choice in [*designs, *draws] if choice.of == pool.size]
    structures = methods.structures(np.unique(np.concatenate([c.candidates for c in whole])), arguments.candidates)
    engine = engines.make(study.labels.engine, study.labels)
    costs = {candidate: engine.core_hours(atoms) for candidate, atoms in structures.items()}
    measured = curves.curves(
        [*designs, *draws],
        pool,
        methods.hold(sample, arguments.memory),
        covariance,
        costs=costs,
        block_rows=rows,
        progress=progress("designs and random draws measured"),
    )
    points, about = coverage(designs, pool, sample, covariance, rows)
    write_csv(arguments.output, measured)
    write_csv(arguments.output_members, curves.members(whole, pool, covariance, structures, costs))
    write_csv(arguments.output_coverage, points)
    write_csv(arguments.output_pools, pd.DataFrame([about]))
    say(f"{len(designs)} designs and {len(draws)} random draws against {sample.size} of {pool.size} candidates")


def _choices(arguments: argparse.Namespace, size: int) -> list[Choice]:
    """Designs of a pool, and what they would be had it fewer candidates."""
    from gapdesign.files import read_csv, read_frames
    from gapdesign.quality.curves import Choice

    choices = []
    regrown = by_name(arguments.regrown)
    for name, path in by_name(arguments.designs).items():
        candidates = np.array([atoms.info["candidate"] for atoms in read_frames(path)], np.int64)
        if not len(candidates):
            raise InputError(f"{path}: an empty design has nothing to measure.")
        if name in regrown:
            for of, part in read_csv(regrown[name]).groupby("candidates"):
                choices.append(Choice(arguments.pool, name, None, int(of), part["candidate"].to_numpy()))
        choices.append(Choice(arguments.pool, name, None, size, candidates))
    return choices


def _page(arguments: argparse.Namespace) -> None:
    import pandas as pd

    from gapdesign.files import read_array, read_csv, read_frames, write_csv, write_text
    from gapdesign.quality.measures import pair_distances
    from gapdesign.report import design_page

    study = config.load(arguments.config)
    features = {name: np.asarray(read_array(path)) for name, path in by_name(arguments.features).items()}
    tables = {}
    for name in TABLES:
        table = pd.concat([read_csv(path) for path in getattr(arguments, name)], ignore_index=True)
        whole = {column: "Int64" for column in ("draw", "rank") if column in table}
        tables[name] = table.astype(whole)
        write_csv(getattr(arguments, f"output_{name}"), tables[name])
    page = design_page.render(
        configuration=study.model_dump(mode="json", exclude_none=True),
        methods=study.methods(),
        designs={name: read_frames(path) for name, path in by_name(arguments.designs).items()},
        distances={name: pair_distances(rows, study.covariance()) for name, rows in features.items()},
        **tables,
        quality=read_csv(arguments.quality),
    )
    write_text(arguments.output, page)
