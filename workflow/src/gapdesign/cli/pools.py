"""Verb that compares pools."""

from __future__ import annotations

import argparse

from gapdesign import config
from gapdesign.cli.arguments import add, add_config, add_files, add_output, say


def register(verbs: argparse._SubParsersAction) -> None:
    """Add the verb of this module."""
    verb = add(
        verbs,
        "pools",
        _pools,
        "compare the pools of a study, each against each, before any label",
        "A sample of each pool is learnt from, another asked about.",
    )
    add_config(verb)
    add_files(verb, "--features", "all shards of features, in folders named after their pools (.npy)")
    add_output(verb, what="table to write (.csv)")
    add_output(verb, "--output-figure", "figure to write (.svg)")


def _pools(arguments: argparse.Namespace) -> None:
    from gapdesign import pools
    from gapdesign.files import FeaturePool, write_csv, write_text

    study = config.load(arguments.config)
    names = list(dict.fromkeys(path.parent.name for path in arguments.features))
    shards = {name: [path for path in arguments.features if path.parent.name == name] for name in names}
    features = pools.samples({name: FeaturePool(paths) for name, paths in shards.items()}, study.seed)
    covariance = study.covariance()
    table = pools.compare(features, covariance)
    write_csv(arguments.output, table)
    labels = {name: f"{name} ({study.pools.of(name).sampler})" for name in names}
    write_text(arguments.output_figure, pools.figure(pools.nearest(features, covariance), labels))
    say(table.round(4).to_string(index=False))
