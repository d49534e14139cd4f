"""Verbs of what is known before any label: quality, regrow, curves, page."""

from __future__ import annotations

import argparse
from pathlib import Path

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
    add_output(verb, what="candidates chosen, to write (.csv)")

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

    from gapdesign import engines
    from gapdesign.files import read_array, read_frames, write_csv
    from gapdesign.methods.shared.resources import block_rows
    from gapdesign.quality import measures as quality
    from gapdesign.shards import FeaturePool

    study = config.load(arguments.config)
    design = choose(arguments.design, study.designs)
    pool, covariance = FeaturePool(arguments.features), study.covariance()
    features = {name: np.asarray(read_array(path)) for name, path in by_name(arguments.designs).items()}
    rows = block_rows(arguments.memory, pool.dimension, study.budget)
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
    from gapdesign.cli.design import description, pool_files
    from gapdesign.files import write_csv
    from gapdesign.methods.tasks import existing_set, make_task
    from gapdesign.quality.subpools import regrow

    study = config.load(arguments.config)
    design, described = choose(arguments.design, study.designs), description(study)
    sizes = study.subpools(arguments.design)
    if not sizes:
        raise InputError(f"--design {arguments.design}: the configuration gives it no smaller pool to choose from.")
    task = make_task(
        pool_files(arguments),
        design,
        described,
        budget=study.budget,
        seed=f"{study.seed}/design/{arguments.design}",
        existing=existing_set(design.existing, described, say),
        memory=arguments.memory,
        threads=arguments.threads,
        progress=say,
    )
    write_csv(arguments.output, regrow(design.member, task, sizes))


def _curves(arguments: argparse.Namespace) -> None:
    from gapdesign import engines
    from gapdesign.files import read_csv, write_csv
    from gapdesign.quality.tables import pool_tables
    from gapdesign.shards import FeaturePool

    study = config.load(arguments.config)
    pool = FeaturePool(arguments.features)
    designs = {name: _members(path) for name, path in by_name(arguments.designs).items()}
    tables = pool_tables(
        arguments.pool,
        pool,
        arguments.candidates,
        designs=designs,
        regrown={name: read_csv(path) for name, path in by_name(arguments.regrown).items()},
        covariance=study.covariance(),
        engine=engines.make(study.labels.engine, study.labels),
        options=study.quality,
        budget=study.budget,
        seed=study.seed,
        memory=arguments.memory,
        progress=progress("designs and random draws measured"),
    )
    write_csv(arguments.output, tables.curves)
    write_csv(arguments.output_members, tables.members)
    write_csv(arguments.output_coverage, tables.coverage)
    write_csv(arguments.output_pools, tables.pools)
    seen = min(pool.size, study.quality.sample)
    say(f"{len(designs)} designs and {study.quality.draws} random draws against {seen} of {pool.size} candidates")


def _members(path: Path) -> np.ndarray:
    """Candidates (n,) of a design, in the order chosen."""
    from gapdesign.files import read_frames

    candidates = np.array([atoms.info["candidate"] for atoms in read_frames(path)], np.int64)
    if not len(candidates):
        raise InputError(f"{path}: an empty design has nothing to measure.")
    return candidates


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
