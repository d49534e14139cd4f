"""Verb of the stage descriptors."""

from __future__ import annotations

import argparse
from pathlib import Path

from gapdesign.cli.arguments import add, add_files, add_output, add_scaling, say
from gapdesign.cli.parts.features import FeaturePart
from gapdesign.config.job import Job
from gapdesign.config.part import At
from gapdesign.descriptors.sizes import shard_bytes


def _memory(at: At) -> int:
    """Return MiB: for the programs, and for the features of a shard with a margin for the largest structure."""
    return max(2000, 1700 + round(1.25 * shard_bytes(at) / 2**20))


def _minutes(at: At) -> int:
    """Return the time limit: an hour for features of some megabytes, and more in proportion for long vectors."""
    return 60 * max(1, round(shard_bytes(at) / 2**29))


DESCRIPTORS = Job(
    verb="descriptors",
    rule="descriptors_shard",
    stage="descriptors",
    reads=FeaturePart,
    memory=_memory,
    minutes=_minutes,
)
SCALING = Job(
    verb="scaling", rule="descriptors_scaling", stage="descriptors", reads=FeaturePart, memory=4000, minutes=60
)
JOBS = (DESCRIPTORS, SCALING)


def register(verbs: argparse._SubParsersAction) -> None:
    """Add the verb of this module."""
    verb = add(
        verbs,
        DESCRIPTORS,
        _descriptors,
        "compute the features of one shard",
        "example: gapdesign descriptors --candidates candidates/A/0-1250.npz --output descriptors/A/0-1250.npy\n"
        "             --output-sum descriptors/A/sums/0-1250.npy",
    )
    verb.add_argument("--candidates", required=True, type=Path, metavar="FILE", help="shard of candidates (.npz)")
    add_scaling(verb)
    add_output(verb, what="features to write, float32 (n, dimension) (.npy)")
    add_output(verb, "--output-sum", "sum of the features to write, as multiples of 2^-36 (.npy)")
    verb.add_argument(
        "--output-environments",
        type=Path,
        metavar="FILE",
        help="environments to write (.npz); designs need them where kernel.structure is not average",
    )

    verb = add(
        verbs,
        SCALING,
        _scaling,
        "find the scale of the components of environments in a sample of all pools",
        "Only where descriptor.components is not raw. Structures are taken evenly from all shards.",
    )
    add_files(verb, "--candidates", "all shards of all pools (.npz)")
    add_output(verb, what="scale to write (.npz)")


def _scaling(arguments: argparse.Namespace, part: FeaturePart) -> None:
    from gapdesign.descriptors import environments_of
    from gapdesign.descriptors.scaling import evenly, scaling_of
    from gapdesign.shards import shard_range
    from gapdesign.structures import read_batch

    member = part.descriptor.member(part.descriptor.options, part.species)
    ranges = map(shard_range, arguments.candidates)
    sample = evenly(map(read_batch, arguments.candidates), sum(stop - start for start, stop in ranges))
    found = [environments_of(member, batch, k) for batch, k in sample]
    scaling_of(found, part.species, part.descriptor.components).write(arguments.output)
    say(f"{part.descriptor.components} components by the environments of {len(found)} structures")


def _descriptors(arguments: argparse.Namespace, part: FeaturePart) -> None:
    import numpy as np
    from ase.data import chemical_symbols

    from gapdesign.descriptors.environments import Environments, write_environments
    from gapdesign.errors import InputError
    from gapdesign.files import write_array
    from gapdesign.methods.shared.distance import total
    from gapdesign.structures import read_batch

    batch = read_batch(arguments.candidates)
    if unknown := set(batch.numbers.tolist()) - set(part.species):
        symbols = " and ".join(chemical_symbols[z] for z in sorted(unknown))
        raise InputError(f"elements: frames hold {symbols}, which it does not name; add it, or leave the key out.")
    environments = Environments.none(part.layout.spectrum)
    if not len(batch):  # behind the end of a pool that has stopped growing
        features = np.zeros((0, part.layout.dimension), np.float32)
    elif arguments.output_environments is None:
        features = part.make(arguments.scaling).features(batch)
    else:
        features, environments = part.make(arguments.scaling).features_and_environments(batch)
    if arguments.output_environments is not None:
        write_environments(arguments.output_environments, environments)
    write_array(arguments.output_sum, total(features))
    write_array(arguments.output, features)
    say(f"{len(features)} structures, {features.shape[1]} features each ({part.descriptor.backend})")
