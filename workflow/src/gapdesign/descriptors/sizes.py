"""Space that features take, in memory and on disk, from the length of a vector and the number of candidates."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gapdesign.config.part import At
    from gapdesign.config.study import Study
    from gapdesign.descriptors.covariance import Layout

COMFORT = 2**30
"""Bytes of the features of a shard up to which nobody needs to think of them."""

MOST = 2**36
"""Bytes of the features of a shard above which no job can be expected to hold them."""

ENVIRONMENTS = 32
"""Environments in a structure that is no deformed prototype."""


def shard_bytes(at: At) -> int:
    """Return the bytes of the features of a whole shard of a pool, environments included where designs need them."""
    study, pool = at.study, at.pool
    parts = _layout(study)
    numbers = parts.dimension
    if study.kernel.structure != "average" or any(design.reads_environments for design in study.designs.values()):
        numbers += _environments(at) * parts.spectrum
    return 4 * numbers * min(study.pools.shard_size, pool.most)


def _layout(study: Study) -> Layout:
    """Return the parts of a vector, of kernels whose scales may be wrong yet."""
    from gapdesign.descriptors import layout

    return layout(study.descriptor, study.kernel.pair.shape, study.species())


def _environments(at: At) -> int:
    """Return the largest number of environments in a structure of a pool, or a guess."""
    from gapdesign.prototypes import prototypes

    if not at.pool.keeps_cells:
        return ENVIRONMENTS
    return max(len(set(prototype.orbits.tolist())) for prototype in prototypes(at.study.prototypes))


def too_long(study: Study, largest: int, *, limit: int = COMFORT) -> str | None:
    """Return what to do about features that take more than ``limit`` bytes in the largest shard; None if they do not.

    Parameters
    ----------
    study : Study
    largest : int
        Bytes of the largest shard, from :func:`shard_bytes`.
    limit : int
    """
    if largest <= limit:
        return None
    dimension, count = _layout(study).dimension, len(study.species())
    candidates = sum(study.pools.of(name).most for name in study.pools.names)
    backend = study.descriptor.backend
    shorter = f"options of descriptor.{study.descriptor.member.block} that make it shorter"
    if study.descriptor.member.block == "soap":
        shorter = "a lower descriptor.soap.n_max or l_max"
        if count > 1 and study.descriptor.soap.compression == "none":
            shorter = f"descriptor.soap.compression: one_element, {shorter}"
    return (
        f"a vector of {backend} has {dimension} numbers for {count} element{'s' if count > 1 else ''}, so that a shard"
        f" takes {largest / 2**30:.1f} GiB and all pools {4 * dimension * candidates / 1e9:.0f} GB; choose {shorter},"
        " or a smaller pools.shard_size"
    )
