"""Verbs of the stage design: basis, compress, select, verify."""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from ase.data import chemical_symbols

from gapdesign.cli.arguments import (
    add,
    add_config,
    add_design,
    add_files,
    add_memory,
    add_output,
    add_search,
    choose,
    say,
)
from gapdesign.config import study as config
from gapdesign.errors import InputError, ProgramError

if TYPE_CHECKING:
    from gapdesign.descriptors.environments import Environments
    from gapdesign.descriptors.structure_distances import StructurePool
    from gapdesign.methods import DesignOptions, Task
    from gapdesign.methods.maxmin.state import State
    from gapdesign.shards import FeaturePool

SAMPLE = 2048
"""Structures by which the directions of a pool are found."""


def register(verbs: argparse._SubParsersAction) -> None:
    """Add the verbs of this module."""
    verb = add(
        verbs,
        "basis",
        _basis,
        "find the few directions in which the features of a pool vary",
        "Any sample of the pool will do: what it leaves out is bounded, and never changes a design.",
    )
    add_config(verb)
    add_files(verb, "--features", "features of some shards of the pool (.npy)")
    add_output(verb, what="directions to write (.npz)")

    verb = add(verbs, "compress", _compress, "compress the features of one shard")
    add_config(verb)
    verb.add_argument("--basis", required=True, type=Path, metavar="FILE", help="directions (.npz)")
    verb.add_argument("--features", required=True, type=Path, metavar="FILE", help="features of the shard (.npy)")
    add_output(verb, what="compressed features to write (.npy)")

    verb = add(
        verbs,
        "select",
        _select,
        "choose a design from a whole pool",
        "Writes the structures in the order chosen, with pool, candidate, rank, distance and, for max-min, the\n"
        "largest distance of any candidate left out (outside), which proves the order. The ranks after the budget\n"
        "are the reserve: they take the place of structures without a label.",
    )
    add_config(verb)
    add_selection(verb)
    add_output(verb, what="design to write (.extxyz)")
    add_output(verb, "--output-features", "features of the design to write (.npy)")
    verb.add_argument("--reserve", type=Path, metavar="FILE", help="reserve to write, if one is wanted (.extxyz)")
    verb.add_argument("--reserve-features", type=Path, metavar="FILE", help="features of the reserve to write (.npy)")
    verb.add_argument(
        "--state",
        type=Path,
        metavar="FILE",
        help="where this selection ends, for one with a larger budget or pool to go on from; read, then written (.npz)",
    )

    verb = add(
        verbs,
        "verify",
        _verify,
        "prove a max-min design in one pass over its pool, independently of how it was chosen",
        "Says that it is exact, or names the first rank that is not, and then exits with status 1.\n\n"
        "example: gapdesign verify results/zr-demo/designs/OPT1.extxyz",
    )
    add_config(verb)
    verb.add_argument("design", type=Path, metavar="FILE", help="design in the results of a study (.extxyz)")
    add_memory(verb)


def add_selection(verb: argparse.ArgumentParser) -> None:
    """Add what :func:`selection_task` reads, and the sums that it is given."""
    add_design(verb)
    add_search(verb)
    add_files(verb, "--candidates", "all shards of candidates of the pool (.npz)")
    add_files(verb, "--sums", "the sums of all shards of features (.npy)")
    verb.add_argument(
        "--environments",
        nargs="*",
        default=[],
        type=Path,
        metavar="FILE",
        help="all shards of environments of the pool (.npz), which some methods and values of kernel.structure need",
    )


def _basis(arguments: argparse.Namespace) -> None:
    from gapdesign.methods.maxmin.compression import Directions
    from gapdesign.shards import ArrayFile

    study = config.load(arguments.config)
    shards = [ArrayFile(path) for path in arguments.features]
    share = -(-SAMPLE // len(shards))
    sample = np.concatenate([shard.rows(np.arange(0, shard.shape[0], -(-shard.shape[0] // share))) for shard in shards])
    basis = Directions.of(sample, study.covariance().layout)
    basis.write(arguments.output)
    sizes = ", ".join(f"{vectors.shape[1]} of {vectors.shape[0]}" for vectors in basis.directions)
    say(f"directions kept: {sizes}, from {len(sample)} structures")


def _compress(arguments: argparse.Namespace) -> None:
    from gapdesign.files import write_array
    from gapdesign.methods.maxmin.compression import Directions, compress_all
    from gapdesign.shards import ArrayFile

    study = config.load(arguments.config)
    basis = Directions.read(arguments.basis, study.covariance().layout)
    compressed = compress_all(ArrayFile(arguments.features), basis)
    write_array(arguments.output, compressed)
    say(f"{len(compressed)} structures, {compressed.shape[1]} numbers each")


def _select(arguments: argparse.Namespace) -> None:
    from gapdesign import methods
    from gapdesign.files import read_array, write_array, write_frames
    from gapdesign.methods.maxmin.state import State
    from gapdesign.shards import FeaturePool

    study = config.load(arguments.config)
    design = choose(arguments.design, study.designs)
    existing = existing_set(study, design.existing)
    identity = _identity(study, arguments, existing)
    earlier = State.read(arguments.state, identity, arguments.sums) if arguments.state else None
    pool = FeaturePool(arguments.features)
    sums = sum(read_array(path) for path in arguments.sums)
    task = selection_task(study, arguments, pool, sums, existing, earlier=earlier)
    reserve = study.reserve() if arguments.reserve else 0
    selection = methods.select(design.method, study.kernel.structure, task, reserve=reserve)
    frames = methods.frames(selection, arguments.candidates, pool=design.pool)
    features, budget = pool.rows(selection.candidates), study.budget
    write_array(arguments.output_features, features[:budget])
    write_frames(arguments.output, frames[:budget])
    if arguments.reserve:
        write_frames(arguments.reserve, frames[budget:])
    if arguments.reserve_features:
        write_array(arguments.reserve_features, features[budget:])
    if arguments.state and (selection.state or not arguments.state.exists()):
        (selection.state or State.nothing()).write(arguments.state, identity, sums)
    if len(frames) < budget:
        say(f"only {len(frames)} candidates differ from one another and from what exists; the design ends there")
    say(
        f"{len(frames[:budget])} of {pool.size} candidates chosen by {design.method} and {len(frames[budget:])} in"
        f" reserve, {selection.passes} passes over the pool"
    )


def selection_task(
    study: config.Study,
    arguments: argparse.Namespace,
    pool: FeaturePool,
    sums: np.ndarray,
    existing: tuple[np.ndarray, Environments] | None,
    *,
    earlier: State | None = None,
) -> Task:
    """What a method is asked to do with a pool whose features add up to ``sums`` (dimension,).

    Raises
    ------
    InputError
        If the method needs files that are not given.
    """
    from gapdesign import methods
    from gapdesign.methods.distance import mean_descriptor
    from gapdesign.methods.maxmin.compression import Directions
    from gapdesign.shards import FeaturePool

    design = choose(arguments.design, study.designs)
    covariance = study.covariance()
    compressed = basis = None
    if arguments.compressed:
        basis = Directions.read(arguments.basis, covariance.layout)
        compressed = methods.hold(FeaturePool(arguments.compressed), arguments.memory)
    elif methods.is_compressed(design.method, study.kernel.structure):
        raise InputError(f"--compressed: the method {design.method} needs compressed shards; run `gapdesign compress`.")
    return methods.Task(
        pool=pool,
        covariance=covariance,
        mean=mean_descriptor(sums, pool.size, covariance.layout),
        budget=study.budget,
        seed=f"{study.seed}/design/{arguments.design}",
        start=design.start,
        earlier=earlier,
        options=design.options,
        existing=None if existing is None else existing[0],
        **_environments(study, design, arguments, existing),
        compressed=compressed,
        basis=basis,
        structures=_structures(study, pool, arguments.environments, existing, arguments.memory),
        threads=arguments.threads,
        memory=arguments.memory,
        progress=say,
    )


def _identity(
    study: config.Study, arguments: argparse.Namespace, existing: tuple[np.ndarray, Environments] | None
) -> str:
    """Digest of all that a selection depends on but its budget, with its reserve, and its pool."""
    alike = study.model_copy(update={"budget": 1, "labels": study.labels.model_copy(update={"reserve": None})})
    parts = [config.part(alike, "select", design=arguments.design).encode()]
    parts += [Path(arguments.basis).read_bytes()] if arguments.basis else []
    parts += [existing[0].tobytes()] if existing else []
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def existing_set(study: config.Study, path: str | None) -> tuple[np.ndarray, Environments] | None:
    """Features and environments of the structures that a design starts from."""
    if path is None:
        return None
    from ase.io import read

    from gapdesign.descriptors import Descriptor
    from gapdesign.structures import pack

    frames = read(path, ":")
    unknown = {int(z) for atoms in frames for z in atoms.numbers} - set(study.species())
    if unknown:
        names = ", ".join(sorted(chemical_symbols[z] for z in unknown))
        raise InputError(f"existing: '{path}' holds {names}, which no prototype of the study has; add one that does.")
    say(f"describing {len(frames)} existing structures")
    return Descriptor(study.descriptor, study.kernel.pair, study.species()).features_and_environments(pack(frames))


def _structures(
    study: config.Study,
    pool: FeaturePool,
    files: list[Path],
    existing: tuple[np.ndarray, Environments] | None,
    memory: int,
) -> StructurePool | None:
    """The pool as `kernel.structure` sees it; None where that is `average`."""
    from gapdesign.descriptors.environments import EnvironmentPool
    from gapdesign.descriptors.structure_distances import StructurePool

    if study.kernel.structure == "average":
        return None
    if not files:
        raise InputError(
            f"--environments: kernel.structure: {study.kernel.structure} needs the environments of the pool;"
            " run `gapdesign descriptors` with --output-environments."
        )
    return StructurePool(pool, EnvironmentPool(files), study.covariance(), study.kernel, existing, memory=memory)


def _environments(
    study: config.Study,
    design: DesignOptions,
    arguments: argparse.Namespace,
    existing: tuple[np.ndarray, Environments] | None,
) -> dict[str, object]:
    """What methods that read the environments of the pool need of them."""
    from gapdesign.descriptors.environments import EnvironmentPool

    if not design.reads_environments:
        return {}
    if not arguments.environments:
        raise InputError(
            f"--environments: the method {design.method} needs the environments of the pool; run"
            " `gapdesign descriptors` with --output-environments."
        )
    found: dict[str, object] = {"environments": EnvironmentPool(arguments.environments)}
    if existing is not None:
        found["existing_environments"] = existing[1]
    if design.bayesian is not None and design.bayesian.score == "force":
        found["derivatives"] = _derivatives(study, arguments.candidates)
    return found


def _derivatives(study: config.Study, shards: list[Path]) -> Callable[[int], Mapping[int, np.ndarray]]:
    """Derivatives of the environments of each candidate, for the scores of forces."""
    from gapdesign.descriptors import Descriptor
    from gapdesign.shards import shard_range
    from gapdesign.structures import read_batch

    descriptor = Descriptor(study.descriptor, study.kernel.pair, study.species())
    read = lru_cache(maxsize=1)(read_batch)

    def derivatives(candidate: int) -> Mapping[int, np.ndarray]:
        path = next(path for path in shards if candidate in range(*shard_range(path)))
        return descriptor.derivatives(read(path), candidate - shard_range(path)[0])

    return derivatives


def _verify(arguments: argparse.Namespace) -> None:
    from gapdesign.files import read_frames
    from gapdesign.methods.maxmin import exhaustive
    from gapdesign.methods.maxmin.certificate import first_wrong_rank
    from gapdesign.shards import FeaturePool, cut, shard_path

    study = config.load(arguments.config)
    name = arguments.design.stem
    design = choose(name, study.designs)
    if design.method != "maxmin":
        raise InputError(f"{arguments.design}: chosen by {design.method}; only max-min designs can be verified.")
    folder = arguments.design.parent.parent / "descriptors" / design.pool
    ranges = cut(study.pools.of(design.pool).size, study.pools.shard_size)
    pool = FeaturePool([shard_path(folder, start, stop, "npy") for start, stop in ranges])
    frames = read_frames(arguments.design)
    existing = existing_set(study, design.existing)
    proved = {
        "candidates": np.array([atoms.info["candidate"] for atoms in frames]),
        "distances": np.array([atoms.info["distance"] for atoms in frames]),
        "outside": np.array([atoms.info["outside"] for atoms in frames]),
        "progress": say,
    }
    if study.kernel.structure == "average":
        features = None if existing is None else existing[0]
        wrong = first_wrong_rank(pool, study.covariance(), existing=features, memory=arguments.memory, **proved)
    else:
        files = [shard_path(folder / "environments", start, stop, "npz") for start, stop in ranges]
        structures = _structures(study, pool, files, existing, arguments.memory)
        wrong = exhaustive.first_wrong_rank(structures, **proved)
    if wrong is not None:
        raise ProgramError(f"{arguments.design}: not exact; rank {wrong.rank}: {wrong.reason}.")
    print(f"{arguments.design}: exact; {len(frames)} ranks against all {pool.size} candidates of pool {design.pool}")
