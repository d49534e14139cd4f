"""Verbs that compare pools before any label."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np

from gapdesign.cli.arguments import add, add_files, add_output, by_name, progress, say
from gapdesign.cli.parts.features import DistancePart
from gapdesign.comparison.pools import ComparisonOptions
from gapdesign.config.job import Job
from gapdesign.config.keys import Species
from gapdesign.config.part import From, Part
from gapdesign.samplers.shared.differentiable import DifferentiableOptions

if TYPE_CHECKING:
    import pandas as pd

    from gapdesign.comparison.environments import PoolEnvironments


class EnvironmentsPart(Part):
    """Keys that the environments of a pool depend on, besides its candidates."""

    descriptor: Annotated[DifferentiableOptions, From(lambda at: at.study.comparison.descriptor)]
    species: Species


class CoveragePart(Part):
    """Keys that the coverage of environments depends on, besides the environments."""

    comparison: ComparisonOptions


class PoolsPart(CoveragePart):
    """Keys that the comparison of pools depends on, besides their features or environments."""

    seed: int
    distances: DistancePart
    samplers: Annotated[
        dict[str, str], From(lambda at: {name: at.study.pools.of(name).sampler for name in at.study.pools.names})
    ]


ENVIRONMENTS = Job(
    verb="environments",
    rule="environments_pool",
    stage="candidates",
    reads=EnvironmentsPart,
    memory=1000,
    minutes=60,
)
POOLS = Job(verb="pools", rule="pools", stage="candidates", reads=PoolsPart, memory=1000, minutes=60)
COVERAGE = Job(verb="coverage", rule="environments", stage="candidates", reads=CoveragePart, memory=1000, minutes=30)
JOBS = (ENVIRONMENTS, POOLS, COVERAGE)


def register(verbs: argparse._SubParsersAction) -> None:
    """Add the verbs of this module."""
    verb = add(
        verbs,
        ENVIRONMENTS,
        _environments,
        "describe the environments of the atoms of a pool",
        "Uses `comparison.descriptor`; `gapdesign pools` and `gapdesign coverage` compare the environments.",
    )
    add_files(verb, "--candidates", "all shards of the pool (.npz)")
    add_output(verb, what="environments to write (.npz)")

    verb = add(
        verbs,
        POOLS,
        _pools,
        "compare every pair of pools of a study before any label",
        "Learns from one sample of each pool and tests on another: on structures or, like Karabin and Perez, on"
        " environments.",
    )
    which = verb.add_mutually_exclusive_group(required=True)
    which.add_argument(
        "--features",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="structures: all shards of features, in folders named after their pools (.npy)",
    )
    which.add_argument(
        "--environments", nargs="+", type=Path, metavar="FILE", help="environments, named after their pools (.npz)"
    )
    add_output(verb, what="table to write (.csv)")
    add_output(verb, "--output-quantiles", "quantiles that the figure shows, to write (.csv)")
    add_output(verb, "--output-figure", "figure to write (.svg)")

    verb = add(
        verbs,
        COVERAGE,
        _coverage,
        "report which environments of every pool each design covers, and draw the distributions of the pools",
    )
    add_files(verb, "--environments", "environments, named after their pools (.npz)")
    add_files(verb, "--designs", "all designs of the study (.extxyz)")
    add_output(verb, what="table of the designs to write (.csv)")
    add_output(verb, "--output-correlations", "table of correlations of the components to write (.csv)")
    for name in TABLES:
        add_output(verb, f"--output-{name}", f"table of {name} to write (.csv)")
        add_output(verb, f"--output-{name}-figure", f"figure of {name} to write (.svg)")


TABLES = ("entropies", "histograms", "radial")
"""Tables about the environments of pools, each with a figure."""


def _environments(arguments: argparse.Namespace, part: EnvironmentsPart) -> None:
    from gapdesign.comparison.environments import describe
    from gapdesign.samplers.shared import differentiable
    from gapdesign.structures import read_batch, read_structures

    # Atoms of all elements are alike: with a density for each, the first components would be those of one element.
    descriptor = differentiable.make(part.descriptor, part.species[:1])
    structures = read_structures(arguments.candidates, progress("shards described"))
    sizes = [size for path in arguments.candidates for size in np.diff(read_batch(path).offsets).tolist()]
    described = describe(arguments.output, structures, sizes, descriptor)
    say(f"{described.q.size} environments of {described.structures} structures, {described.q.dimension} components")


def _standardised(
    options: ComparisonOptions, paths: list[Path]
) -> tuple[dict[str, PoolEnvironments], dict[str, PoolEnvironments]]:
    """Return the pools as they are described, and standardised."""
    from gapdesign.comparison.environments import read, standardised

    pools = {name: read(path) for name, path in by_name(paths).items()}
    return pools, standardised(pools, options.scaled_by, options.components, cube_root=options.cube_root)


def _pools(arguments: argparse.Namespace, part: PoolsPart) -> None:
    from gapdesign.files import write_csv, write_text
    from gapdesign.report.pool_figures import shares_figure
    from gapdesign.report.style import svg_text

    table, drawn = (_of_environments if arguments.environments else _of_structures)(arguments, part)
    write_csv(arguments.output, table)
    write_csv(arguments.output_quantiles, drawn)
    labels = {name: f"{name} ({part.samplers[name]})" for name in dict.fromkeys(table["train"])}
    fewest = drawn[drawn["learnt"] == drawn["learnt"].min()]
    figure = shares_figure(fewest, labels, environments=bool(arguments.environments))
    write_text(arguments.output_figure, svg_text(figure))
    say(table.round(4).to_string(index=False))


def _of_structures(arguments: argparse.Namespace, part: PoolsPart) -> tuple[pd.DataFrame, pd.DataFrame]:
    from gapdesign.comparison import pools
    from gapdesign.shards import FeaturePool

    names = list(dict.fromkeys(path.parent.name for path in arguments.features))
    shards = {name: [path for path in arguments.features if path.parent.name == name] for name in names}
    features = pools.samples({name: FeaturePool(paths) for name, paths in shards.items()}, part.seed)
    covariance = part.distances.covariance
    distances = pools.nearest(features, covariance)
    learnt = len(next(iter(features.values()))) // 2
    entropies = {name: pools.structure_entropy(rows[:learnt], covariance) for name, rows in features.items()}
    return pools.compare(distances, entropies, learnt=learnt), pools.quantiles(distances, learnt=learnt)


def _of_environments(arguments: argparse.Namespace, part: PoolsPart) -> tuple[pd.DataFrame, pd.DataFrame]:
    import pandas as pd

    from gapdesign.comparison import environments as pool_environments
    from gapdesign.comparison import pools

    options = part.comparison
    whole = _standardised(part.comparison, arguments.environments)[1]
    entropies = pool_environments.entropies(whole).groupby("pool")["entropy"].mean().to_dict()
    given = {name: pool.q for name, pool in whole.items()}
    tables, drawn = [], []
    for learnt in options.learnt:
        distances = pools.nearest_environments(
            given, learnt, options.splits, part.seed, tell=progress(f"divisions, {learnt} learnt")
        )
        tables.append(pools.compare(distances, entropies, learnt=learnt))
        drawn.append(pools.quantiles(distances, learnt=learnt))
        if left := [name for name in given if (name, name) not in distances]:
            say(f"too few environments to learn {learnt} from: {', '.join(left)}")
    return pd.concat(tables, ignore_index=True), pd.concat(drawn, ignore_index=True)


def _coverage(arguments: argparse.Namespace, part: CoveragePart) -> None:
    from gapdesign.comparison import environments as told
    from gapdesign.comparison.pools import is_large
    from gapdesign.files import read_frames, write_csv, write_text
    from gapdesign.report import pool_figures
    from gapdesign.report.style import svg_text

    raw, pools = _standardised(part.comparison, arguments.environments)
    frames = {name: read_frames(path) for name, path in by_name(arguments.designs).items()}
    chosen = {name: (frames[name][0].info["pool"], [a.info["candidate"] for a in frames[name]]) for name in frames}
    members = {name: [own] for name, own in chosen.items()}
    for union, names in part.comparison.unions.items():
        members[union] = told.union([chosen[name] for name in names])
    table = told.designs(pools, members, within=part.comparison.within)
    write_csv(arguments.output, table)
    write_csv(arguments.output_correlations, told.correlations(raw, part.comparison.components))
    say(table.round(4).to_string(index=False))
    compared = {name: pool for name, pool in raw.items() if is_large(pool.q.size, min(part.comparison.learnt))}
    for name, rows in {
        "entropies": told.entropies(pools),
        "histograms": told.histograms(compared or raw),
        "radial": told.radial(raw),
    }.items():
        write_csv(getattr(arguments, f"output_{name}"), rows)
        figure = getattr(pool_figures, f"{name}_figure")(rows)
        write_text(getattr(arguments, f"output_{name}_figure"), svg_text(figure))
