"""Verbs of the stage candidates."""

from __future__ import annotations

import argparse
import sys

from gapdesign import config
from gapdesign.cli.arguments import add, add_config, add_output, say
from gapdesign.errors import InputError


def register(verbs: argparse._SubParsersAction) -> None:
    """Add the verbs of this module."""
    verb = add(
        verbs,
        "candidates",
        _candidates,
        "make one shard of a pool of candidates",
        "example: gapdesign candidates --pool A --start 0 --stop 1250 --output 0-1250.npz",
    )
    add_config(verb)
    verb.add_argument("--pool", required=True, help="name of the pool")
    verb.add_argument("--start", required=True, type=int, help="index of the first candidate")
    verb.add_argument("--stop", required=True, type=int, help="index after the last candidate")
    add_output(verb, what="shard to write, packed arrays (.npz)")
    verb = add(
        verbs,
        "candidate",
        _candidate,
        "print one candidate as extended XYZ, without making its pool",
        "Candidate i of a pool is a function of (seed, pool, i) alone, so it can always be had again.\n\n"
        "example: gapdesign candidate --pool A --index 4711 > 4711.xyz",
    )
    add_config(verb)
    verb.add_argument("--pool", required=True, help="name of the pool")
    verb.add_argument("--index", required=True, type=int, help="index of the candidate, from 0")


def _sample(arguments: argparse.Namespace, start: int, stop: int):
    from gapdesign.samplers import sample
    from gapdesign.structures import prototypes

    study = config.load(arguments.config)
    return sample(
        study.pools,
        prototypes(study.prototypes),
        seed=study.seed,
        pool=arguments.pool,
        start=start,
        stop=stop,
    )


def _candidates(arguments: argparse.Namespace) -> None:
    from gapdesign.structures import write_batch

    if not 0 <= arguments.start < arguments.stop:
        raise InputError(f"--start {arguments.start} --stop {arguments.stop}: a shard has 0 <= start < stop.")
    batch = _sample(arguments, arguments.start, arguments.stop)
    write_batch(arguments.output, batch)
    say(f"{len(batch)} candidates of pool {arguments.pool}, {int((batch.attempts > 0).sum())} of them drawn again")


def _candidate(arguments: argparse.Namespace) -> None:
    from ase.io import write

    study = config.load(arguments.config)
    if arguments.pool not in study.pools.names:
        raise InputError(f"--pool {arguments.pool}: no such pool; choose from {', '.join(study.pools.names)}.")
    if not 0 <= arguments.index < study.pools.size:
        raise InputError(
            f"--index {arguments.index}: pool {arguments.pool} has candidates 0 to {study.pools.size - 1}."
        )
    atoms = _sample(arguments, arguments.index, arguments.index + 1).atoms(0)
    atoms.info = {"pool": arguments.pool, **atoms.info}
    write(sys.stdout, atoms, format="extxyz")
