"""Verbs of the stage design: search, select, quality."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from gapdesign import config
from gapdesign.cli.arguments import add, add_config, add_files, add_output, by_name, say


def register(verbs: argparse._SubParsersAction) -> None:
    """Add the verbs of this module."""
    verb = add(verbs, "search", _search, "find structures in one shard that a design is likely to need")
    add_config(verb)
    verb.add_argument("--design", required=True, help="name of the design")
    verb.add_argument("--features", required=True, type=Path, metavar="FILE", help="features of the shard (.npy)")
    add_output(verb, what="indices of the candidates found (.npy)")

    verb = add(
        verbs,
        "select",
        _select,
        "choose a design from a whole pool",
        "Writes the structures in the order chosen, with pool, candidate, rank, distance and, for max-min, the\n"
        "largest distance of any candidate left out (outside), which proves the order.",
    )
    add_config(verb)
    verb.add_argument("--design", required=True, help="name of the design")
    add_files(verb, "--candidates", "all shards of candidates of the pool (.npz)")
    add_files(verb, "--features", "all shards of features of the pool (.npy)")
    verb.add_argument("--found", nargs="*", default=[], type=Path, metavar="FILE", help="what `search` found (.npy)")
    verb.add_argument("--memory", type=int, default=1024, metavar="MIB", help="memory to use (%(default)s)")
    add_output(verb, what="design to write (.extxyz)")
    add_output(verb, "--output-features", "features of the design to write (.npy)")

    verb = add(
        verbs,
        "quality",
        _quality,
        "measure what a design is worth before any label",
        "One row for quality.csv; the columns are explained in the report.",
    )
    add_config(verb)
    verb.add_argument("--design", required=True, help="name of the design")
    add_files(verb, "--features", "all shards of features of its pool (.npy)")
    add_files(verb, "--designs", "features of every design of the study (.npy)")
    verb.add_argument("--structures", required=True, type=Path, metavar="FILE", help="the design (.extxyz)")
    verb.add_argument("--memory", type=int, default=1024, metavar="MIB", help="memory to use (%(default)s)")
    add_output(verb, what="table of one row to write (.csv)")


def _search(arguments: argparse.Namespace) -> None:
    from gapdesign import methods
    from gapdesign.files import read_array, shard_range, write_array

    study = config.load(arguments.config)
    start, _ = shard_range(arguments.features)
    features = np.asarray(read_array(arguments.features))
    search = methods.method(study.designs[arguments.design].method).search
    rows = search(features, study.covariance(), study.budget)
    write_array(arguments.output, start + rows)
    say(f"{len(rows)} of {len(features)} candidates found worth a closer look")


def _select(arguments: argparse.Namespace) -> None:
    from gapdesign import methods
    from gapdesign.files import FeaturePool, read_array, shard_range, write_array, write_frames

    study = config.load(arguments.config)
    design = study.designs[arguments.design]
    pool = FeaturePool(arguments.features)
    task = methods.Task(
        pool=pool,
        covariance=study.covariance(),
        budget=study.budget,
        seed=f"{study.seed}/design/{arguments.design}",
        found={shard_range(path)[0]: np.asarray(read_array(path)) for path in arguments.found},
        block_rows=methods.block_rows(arguments.memory, pool.dimension, study.budget),
        progress=say,
    )
    selection = methods.method(design.method).select(task)
    frames = methods.frames(selection, arguments.candidates, pool=design.pool)
    write_array(arguments.output_features, pool.rows(selection.candidates))
    write_frames(arguments.output, frames)
    if len(frames) < study.budget:
        say(f"the pool has only {len(frames)} distinct structures; the design ends there")
    say(f"{len(frames)} of {pool.size} candidates chosen by {design.method} in {selection.passes} passes over the pool")


def _quality(arguments: argparse.Namespace) -> None:
    from dataclasses import asdict

    import pandas as pd

    from gapdesign import engines, methods, quality
    from gapdesign.files import FeaturePool, read_array, read_frames, write_csv

    study = config.load(arguments.config)
    design = study.designs[arguments.design]
    pool, covariance = FeaturePool(arguments.features), study.covariance()
    features = {name: np.asarray(read_array(path)) for name, path in by_name(arguments.designs).items()}
    rows = methods.block_rows(arguments.memory, pool.dimension, study.budget)
    engine = engines.make(study.labels.engine, study.labels)
    row = {
        "design": arguments.design,
        "method": design.method,
        "pool": design.pool,
        **asdict(quality.measure(features[arguments.design], pool, covariance, rows)),
        "label_core_hours": sum(engine.core_hours(atoms) for atoms in read_frames(arguments.structures)),
        **quality.nearest_to_others(arguments.design, features, covariance),
    }
    # Sums over a pool depend in their last digits on how it is cut; nine digits do not.
    row = {key: float(f"{value:.9g}") if isinstance(value, float) else value for key, value in row.items()}
    write_csv(arguments.output, pd.DataFrame([row]))
