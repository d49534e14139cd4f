"""Verb `strains`: D-optimal strained crystals that are in no pool."""

from __future__ import annotations

import argparse

from gapdesign.cli.arguments import add, add_config, add_files, add_output, say


def register(verbs: argparse._SubParsersAction) -> None:
    """Add the verb of this module."""
    verb = add(
        verbs,
        "strains",
        _strains,
        "make D-optimal strained crystals by coordinate exchange, without a pool",
        "The features are principal components of a pool, which span what can vary; the structures themselves are in\n"
        "no pool. Use them as the file of an `existing` set in a study, or label them separately.\n\n"
        "example: gapdesign strains --features results/zr-demo/descriptors/A/*.npy --count 20 --output strains.extxyz",
    )
    add_config(verb)
    add_files(verb, "--features", "features of some shards of a pool (.npy)")
    verb.add_argument("--count", required=True, type=int, metavar="N", help="structures to make")
    verb.add_argument("--components", type=int, metavar="P", help="principal components of the model (N / 2)")
    verb.add_argument(
        "--sweeps", type=int, default=5, metavar="K", help="sweeps at each size of the grid (%(default)s)"
    )
    verb.add_argument("--tries", type=int, default=1, metavar="K", help="random starts (%(default)s)")
    add_output(verb, what="structures to write (.extxyz)")


def _strains(arguments: argparse.Namespace) -> None:
    from gapdesign.config import study as config
    from gapdesign.descriptors import Descriptor
    from gapdesign.errors import InputError
    from gapdesign.files import write_frames
    from gapdesign.methods.d_optimal.strains import optimise
    from gapdesign.methods.shared.rows import TransformedRows, linear_features, principal
    from gapdesign.prototypes import prototypes
    from gapdesign.shards import FeaturePool
    from gapdesign.structures import pack

    study = config.load(arguments.config)
    if not study.prototypes:
        raise InputError("prototypes: this verb strains them, and the study has none; name some.")
    count = arguments.components or max(1, arguments.count // 2)
    if not 1 <= count <= arguments.count:
        raise InputError(f"--components {count}: give at least 1 and at most --count, {arguments.count}.")
    descriptor, covariance = Descriptor(study.descriptor, study.kernel.pair.shape, study.species()), study.covariance()
    rows = TransformedRows(FeaturePool(arguments.features), lambda features: linear_features(features, covariance))
    directions, _ = principal(rows.sample(), count)

    def describe(structures):
        return rows.of(descriptor.features(pack(structures))).astype(float) @ directions

    structures, log_det = optimise(
        prototypes(study.prototypes),
        describe,
        count=arguments.count,
        largest=study.pools.strain.max,
        seed=f"{study.seed}/strains",
        sweeps=arguments.sweeps,
        tries=arguments.tries,
        progress=say,
    )
    for rank, atoms in enumerate(structures):
        atoms.info["rank"] = rank
    write_frames(arguments.output, structures)
    say(f"{len(structures)} structures, log det of {directions.shape[1]} components {log_det:.4f}")
