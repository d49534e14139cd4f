"""Tasks of methods, made from the files of a pool and the configuration."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gapdesign.descriptors import Descriptor, layout
from gapdesign.descriptors.covariance import Covariance
from gapdesign.errors import InputError
from gapdesign.files import read_array
from gapdesign.methods.base import Task
from gapdesign.methods.shared.distance import mean_descriptor
from gapdesign.shards import FeaturePool, in_order, shard_range

if TYPE_CHECKING:
    from gapdesign.descriptors.environments import Environments
    from gapdesign.descriptors.kernel import KernelOptions
    from gapdesign.descriptors.options import ChosenDescriptor, DescriptorOptions
    from gapdesign.descriptors.structure_distances import StructurePool
    from gapdesign.inputs.frames import Frame
    from gapdesign.methods.maxmin.state import State
    from gapdesign.methods.options import DesignOptions
    from gapdesign.methods.quotas import Quotas
    from gapdesign.structures import Batch


class Existing(NamedTuple):
    """The structures that a design starts from.

    Attributes
    ----------
    features : (m, dimension) float32
    environments : Environments
    batch : Batch
        The structures themselves.
    """

    features: np.ndarray
    environments: Environments
    batch: Batch


@dataclass(frozen=True, kw_only=True)
class PoolFiles:
    """Files of a pool that a selection reads: all shards of each kind.

    Attributes
    ----------
    features, sums, candidates : sequence of path
        Features, their sums, and the structures; without sums the pool's mean descriptor stays zero.
    compressed : sequence of path
        Compressed features, for methods that work on them.
    codes : sequence of path
        Codes of the compressed features.
    basis : path, optional
        The directions of the compression.
    environments : sequence of path
        Environments, which some methods and values of `kernel.structure` need.
    rows : sequence of path
        Rows of labels, for methods that read them.
    functions : path, optional
        The functions that rows are made of.
    costs : sequence of path
        Core-hours of labels, which a budget of core-hours needs.
    """

    features: Sequence[Path]
    sums: Sequence[Path] = ()
    candidates: Sequence[Path] = ()
    compressed: Sequence[Path] = ()
    codes: Sequence[Path] = ()
    basis: Path | None = None
    environments: Sequence[Path] = ()
    rows: Sequence[Path] = ()
    functions: Path | None = None
    costs: Sequence[Path] = ()


@dataclass(frozen=True, kw_only=True)
class Description:
    """Descriptor, kernel and species, by which structures are described and compared.

    Attributes
    ----------
    descriptor : DescriptorOptions or ChosenDescriptor
    kernel : KernelOptions
    species : sequence of int
        Atomic numbers that occur.
    scaling : path, optional
        File of the scale of the components of environments, unless they are raw.
    """

    descriptor: DescriptorOptions | ChosenDescriptor
    kernel: KernelOptions
    species: Sequence[int]
    scaling: Path | None = None

    def covariance(self) -> Covariance:
        """Return the covariance of structures."""
        return Covariance(layout(self.descriptor, self.kernel.pair.shape, self.species), self.kernel)

    def make(self) -> Descriptor:
        """Return the descriptor, ready to compute."""
        from gapdesign.descriptors.scaling import Scaling

        scaling = Scaling.read(self.scaling) if self.scaling else None
        return Descriptor(self.descriptor, self.kernel.pair.shape, self.species, scaling)


def make_task(
    files: PoolFiles,
    design: DesignOptions,
    described: Description,
    *,
    budget: int,
    seed: str,
    existing: Existing | None = None,
    earlier: State | None = None,
    memory: int = 1024,
    threads: int = 1,
    progress: Callable[[str], None] = lambda line: None,
) -> Task:
    """Make the task of a design.

    Parameters
    ----------
    files : PoolFiles
        Files of its pool.
    design : DesignOptions
    described : Description
    budget : int
        Structures to choose; at most, if the design has a budget of core-hours.
    seed : str
        Names the stream of random numbers.
    existing : Existing, optional
        What :func:`existing_set` returns.
    earlier : State, optional
        State of an earlier selection.
    memory : int
        In MiB.
    threads : int
    progress : callable
        Called with a line of text now and then.

    Raises
    ------
    InputError
        If files are missing, damaged, or not of one pool.
    """
    from gapdesign.methods.maxmin.compression import Directions

    pool, covariance = FeaturePool(files.features), described.covariance()
    sums = sum(map(read_array, files.sums), start=np.zeros(pool.dimension, np.int64))
    return Task(
        pool=pool,
        covariance=covariance,
        mean=mean_descriptor(sums, pool.size, covariance.layout),
        budget=budget,
        costs=_costs(files, design, pool.size),
        core_hours=design.core_hours,
        seed=seed,
        start=design.start,
        earlier=earlier,
        options=design.options,
        existing=None if existing is None else existing.features,
        **_environments(files, design, described, existing),
        **_rows(files, design, described, existing),
        compressed=FeaturePool(files.compressed) if files.compressed else None,
        codes=FeaturePool(files.codes) if files.codes else None,
        basis=Directions.read(files.basis, covariance.layout) if files.basis else None,
        structures=_structures(
            files, pool, covariance, described.kernel, None if existing is None else existing[:2], memory
        ),
        threads=threads,
        memory=memory,
        progress=progress,
    )


def quotas_of(shards: Sequence[Path], design: DesignOptions, *, among: np.ndarray | None = None) -> Quotas | None:
    """Return the quotas of a design, with the groups of all candidates; None if it has none.

    Parameters
    ----------
    shards : sequence of path
        All shards of candidates of the pool.
    design : DesignOptions
    among : (n,) int64, optional
        Candidates that may be chosen, where that is not all of them; they are numbered from 0 then.

    Raises
    ------
    InputError
        If no candidate has a group that is named, or fewer than are asked for.
    """
    from gapdesign.methods.quotas import Quotas
    from gapdesign.methods.shared.groups import Groups

    if not design.quotas:
        return None
    quotas = Quotas.checked(Groups.read(shards), design.quotas)
    return quotas if among is None else quotas.part(among)


def existing_set(
    paths: Sequence[str | None], described: Description, progress: Callable[[str], None] = lambda line: None
) -> Existing | None:
    """Describe the structures of files that a design starts from, isolated atoms left out; None without a file.

    Raises
    ------
    InputError
        If a file cannot be read, or has elements that the study does not have.
    """
    from gapdesign.inputs.carried import packed

    parts = [existing_frames(path, described.species) for path in paths if path is not None]
    if not parts:
        return None
    frames, isolated = [frame for part, _ in parts for frame in part], sum(count for _, count in parts)
    left_out = f", {isolated} isolated atoms left out" if isolated else ""
    progress(f"describing {len(frames)} existing structures{left_out}")
    batch = packed(frames)
    return Existing(*described.make().features_and_environments(batch), batch)


def existing_frames(path: str, species: Collection[int]) -> tuple[list[Frame], int]:
    """Return the structures of a file that a design starts from, and the number of isolated atoms left out.

    Raises
    ------
    InputError
        If the file cannot be read, holds nothing else, or has elements besides these atomic numbers.
    """
    from gapdesign.inputs.frames import read, refuse_undescribed

    frames, isolated = [], 0
    for frame in read(path, "existing"):
        if frame.is_isolated:
            isolated += 1
            continue
        refuse_undescribed(frame, "existing", species)
        frames.append(frame)
    if not frames:
        raise InputError(f"existing: '{path}' holds isolated atoms only; name a file of structures, or leave it out.")
    return frames, isolated


def identity(configuration: str, basis: Path | None, existing: Existing | None) -> str:
    """Return a digest of all that a selection depends on besides its pool: configuration, directions, existing set."""
    parts = [configuration.encode()]
    parts += [basis.read_bytes()] if basis else []
    parts += [existing.features.tobytes()] if existing else []
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def _costs(files: PoolFiles, design: DesignOptions, size: int) -> np.ndarray | None:
    """Return the core-hours (N,) of the labels of all candidates, if they are known."""
    if not files.costs and design.core_hours is None:
        return None
    if not files.costs:
        raise InputError("--costs: a budget of core-hours needs the cost of every candidate; run `gapdesign costs`.")
    costs = np.concatenate([np.asarray(read_array(path)) for path in in_order(files.costs)[0]])
    if len(costs) != size:
        raise InputError(
            f"--costs: {len(costs)} costs are not those of {size} candidates; give all shards of the pool."
        )
    return costs


def _structures(
    files: PoolFiles,
    pool: FeaturePool,
    covariance: Covariance,
    kernel: KernelOptions,
    existing: Existing | None,
    memory: int,
) -> StructurePool | None:
    """Return the pool for distances by `kernel.structure`; None if that is `average`."""
    from gapdesign.descriptors.environments import EnvironmentPool
    from gapdesign.descriptors.structure_distances import StructurePool

    if kernel.structure == "average":
        return None
    if not files.environments:
        raise InputError(
            f"--environments: kernel.structure: {kernel.structure} needs the environments of the pool;"
            " run `gapdesign descriptors` with --output-environments."
        )
    return StructurePool(pool, EnvironmentPool(files.environments), covariance, kernel, existing, memory=memory)


def _environments(
    files: PoolFiles, design: DesignOptions, described: Description, existing: Existing | None
) -> dict[str, Any]:
    """Return the fields of a task for methods that read environments."""
    from gapdesign.descriptors.environments import EnvironmentPool

    if not design.reads_environments:
        return {}
    if not files.environments:
        raise InputError(
            f"--environments: the method {design.method} needs the environments of the pool; run"
            " `gapdesign descriptors` with --output-environments."
        )
    found: dict[str, Any] = {"environments": EnvironmentPool(files.environments)}
    if existing is not None:
        found["existing_environments"] = existing.environments
    if design.reads_derivatives:
        found["derivatives"] = _derivatives(files.candidates, described.make())
    return found


def _rows(files: PoolFiles, design: DesignOptions, described: Description, existing: Existing | None) -> dict[str, Any]:
    """Return the fields of a task for methods that read the rows of labels."""
    from gapdesign.rows.functions import RowFunctions
    from gapdesign.rows.pool import RowPool

    if not design.reads_rows:
        return {}
    if not files.rows:
        raise InputError(f"--rows: the method {design.method} needs the rows of labels; run `gapdesign rows`.")
    found: dict[str, Any] = {"rows": RowPool(files.rows), "scale": described.kernel.soap.scale}
    if existing is None and not design.reads_environments:
        return found
    if files.functions is None:
        raise InputError(
            "--functions: rows of atoms and of existing structures need the functions of those of the pool."
        )
    functions = found["functions"] = RowFunctions.read(files.functions)
    if existing is not None:
        descriptor, batch = described.make(), existing.batch
        found["existing_rows"] = [functions.rows(descriptor, batch, k) for k in range(len(batch))]
    return found


def _derivatives(shards: Sequence[Path], descriptor: Descriptor) -> Callable[[int], Mapping[int, np.ndarray]]:
    """Return a function that computes derivatives of a candidate's environments, for the scores of forces."""
    from gapdesign.structures import read_batch

    read = lru_cache(maxsize=1)(read_batch)

    def derivatives(candidate: int) -> Mapping[int, np.ndarray]:
        path = next(path for path in shards if candidate in range(*shard_range(path)))
        return descriptor.derivatives(read(path), candidate - shard_range(path)[0])

    return derivatives
