"""The environments of the atoms of a pool: their descriptors, entropies, histograms and radial distribution (KP)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZipFile

import numpy as np
from ase import Atoms

from gapdesign.files import archive, reading
from gapdesign.samplers.shared.differentiable import Differentiable
from gapdesign.samplers.shared.diversity import local_entropy
from gapdesign.shards import ArrayFile, Blocks
from gapdesign.stored import StoredArray

if TYPE_CHECKING:
    import pandas as pd

SHELLS = np.linspace(0.0, 8.0, 161)
"""Bounds of the shells of radial distributions, in angstrom."""

BLOCK = 2048
"""Atoms whose descriptors are read at once."""

_BINS = 60
_SHOWN = 0.995


@dataclass(frozen=True)
class PoolEnvironments:
    """The environments of a pool.

    Attributes
    ----------
    q : Blocks (N, m)
        Descriptors of all atoms.
    offsets : (structures + 1,)
        Positions at which the atoms of each structure begin.
    pairs : (shells,)
        Neighbours found in each shell of ``SHELLS``, over all atoms.
    expected : (shells,)
        Number expected without order at the same densities.
    """

    q: Blocks
    offsets: np.ndarray
    pairs: np.ndarray
    expected: np.ndarray

    @property
    def structures(self) -> int:
        """Number of structures."""
        return len(self.offsets) - 1

    def of(self, structure: int) -> np.ndarray:
        """Descriptors (n, m) of the atoms of one structure."""
        return self.q.block(int(self.offsets[structure]), int(self.offsets[structure + 1]))

    def atoms_of(self, structures: Sequence[int]) -> np.ndarray:
        """Return whether each atom (N,) belongs to one of some structures."""
        chosen = np.zeros(self.structures, dtype=bool)
        chosen[np.asarray(structures, dtype=int)] = True
        return np.repeat(chosen, np.diff(self.offsets))


def describe(
    path: str | Path, structures: Iterable[Atoms], sizes: Sequence[int], descriptor: Differentiable
) -> PoolEnvironments:
    """Describe the atoms of structures, which have so many each, and write what is found as it is found."""
    from matscipy.neighbours import neighbour_list

    pairs, expected = np.zeros((2, len(SHELLS) - 1))
    volumes = 4 / 3 * np.pi * np.diff(SHELLS**3)
    offsets = np.concatenate([[0], np.cumsum(sizes)])

    def described() -> Iterator[np.ndarray]:
        for atoms in structures:
            pairs[:] += np.histogram(neighbour_list("d", atoms, SHELLS[-1]), SHELLS)[0]
            expected[:] += len(atoms) ** 2 / atoms.cell.volume * volumes
            yield descriptor(atoms)

    with archive(path) as add:
        blocks = described()
        first = next(blocks)
        add("q", (int(offsets[-1]), first.shape[1]), float, chain([first], blocks))
        for name, array in (("offsets", offsets), ("pairs", pairs), ("expected", expected)):
            add(name, array.shape, array.dtype, [array])
    return read(path)


def read(path: str | Path) -> PoolEnvironments:
    """Read environments; those of atoms are left in the file until they are asked for.

    Raises
    ------
    InputError
        If the file is missing or damaged.
    """
    path = Path(path)
    with reading(path, "not complete", run="`snakemake environments`"), path.open("rb") as stream:
        with np.load(stream, allow_pickle=False) as archived:
            rest = {name: archived[name] for name in ("offsets", "pairs", "expected")}
        if damaged := ZipFile(stream).testzip():
            raise ValueError(f"{damaged} is damaged")
        return PoolEnvironments(ArrayFile(path, StoredArray.within(stream, "q")), **rest)


class Standardised(Blocks):
    """The first components of descriptors, or their cube roots, shifted and divided.

    Parameters
    ----------
    q : Blocks (N, m)
    components : int
        How many are kept.
    cube_root : bool
        Whether their cube roots take their places.
    mean, deviation : (components,)
        What they are shifted by, and then divided by.
    """

    def __init__(
        self,
        q: Blocks,
        components: int,
        cube_root: bool,
        mean: np.ndarray | float = 0,
        deviation: np.ndarray | float = 1,
    ) -> None:
        self.size, self.dimension = q.size, min(components, q.dimension)
        self._q, self._cube_root, self._mean, self._deviation = q, cube_root, mean, deviation

    def block(self, start: int, stop: int) -> np.ndarray:
        """Those of atoms ``start`` to ``stop`` (excluded)."""
        return self._of(self._q.block(start, stop))

    def rows(self, indices: Sequence[int] | np.ndarray) -> np.ndarray:
        """Those of some atoms, in the order asked for."""
        return self._of(self._q.rows(indices))

    def _of(self, q: np.ndarray) -> np.ndarray:
        # By columns, so that whatever is summed over components is summed in their order.
        values = np.asfortranarray(q[:, : self.dimension])
        return ((np.cbrt(values) if self._cube_root else values) - self._mean) / self._deviation


def standardised(
    pools: Mapping[str, PoolEnvironments], scaled_by: str | None, components: int, *, cube_root: bool = False
) -> dict[str, PoolEnvironments]:
    """Return the first components of all pools, standardised so that one pool has mean 0 and variance 1 (KP).

    Parameters
    ----------
    scaled_by : str, optional
        That pool; all pools together if none is named.
    components : int
        Number of components to keep.
    cube_root : bool
        Whether to use their cube roots instead.
    """
    plain = {name: Standardised(pool.q, components, cube_root) for name, pool in pools.items()}
    moments = _moments([plain[scaled_by]] if scaled_by is not None else list(plain.values()))
    return {
        name: replace(pool, q=Standardised(pool.q, components, cube_root, *moments)) for name, pool in pools.items()
    }


def _moments(parts: Sequence[Blocks]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of the columns of all rows; one column is held at a time."""
    columns = (np.concatenate([_column(part, k) for part in parts]) for k in range(parts[0].dimension))
    mean, deviation = np.transpose([(column.mean(), column.std()) for column in columns])
    return mean, np.maximum(deviation, 1e-12)


def entropies(pools: Mapping[str, PoolEnvironments]) -> pd.DataFrame:
    """Return KP's entropy of structures with two atoms or more: ``pool``, ``structure``, ``atoms``, ``entropy``."""
    import pandas as pd

    rows = []
    for name, pool in pools.items():
        for structure, atoms in enumerate(np.diff(pool.offsets).tolist()):
            if atoms > 1:
                entropy = local_entropy(pool.of(structure))[0]
                rows.append({"pool": name, "structure": structure, "atoms": atoms, "entropy": entropy})
    return pd.DataFrame(rows, columns=["pool", "structure", "atoms", "entropy"])


def histograms(pools: Mapping[str, PoolEnvironments]) -> pd.DataFrame:
    """Return the distribution of each component in each pool (KP figures 4 to 7).

    Of each pool one component of all atoms is held at a time.

    Returns
    -------
    DataFrame
        ``pool``, ``component`` (from 1), ``low``, ``high``, ``density``; all pools have the same bounds, which leave
        out the largest 0.5 % of a pool.
    """
    import pandas as pd

    tables = []
    for component in range(next(iter(pools.values())).q.dimension):
        values = {name: _column(pool.q, component) for name, pool in pools.items()}
        least = min(some.min() for some in values.values())
        most = max(np.quantile(some, _SHOWN) for some in values.values())
        bounds = np.linspace(least, most, _BINS)
        for name, some in values.items():
            counts = np.histogram(some, bounds)[0] / (len(some) * np.diff(bounds))
            tables.append(pd.DataFrame({
                "pool": name, "component": component + 1, "low": bounds[:-1], "high": bounds[1:], "density": counts,
            }))  # fmt: skip
    return pd.concat(tables, ignore_index=True)


def correlations(pools: Mapping[str, PoolEnvironments], components: int) -> pd.DataFrame:
    """Return how well the first components determine each of the others, linearly, in each pool (KP, section III).

    Returns
    -------
    DataFrame
        ``pool``, ``component`` (from 1), ``correlation``: the multiple correlation coefficient, from 0 to 1.
    """
    import pandas as pd

    rows = []
    for name, pool in pools.items():
        moments = _moments([pool.q])
        covariance = np.zeros((pool.q.dimension,) * 2)
        for _, block in pool.q.blocks(BLOCK):
            scaled = (block - moments[0]) / moments[1]
            covariance += np.einsum("ij,ik->jk", scaled, scaled) / pool.q.size
        known = np.linalg.pinv(covariance[:components, :components], hermitian=True)
        for component in range(components, pool.q.dimension):
            shared = covariance[:components, component]
            correlation = float(np.sqrt(np.clip(shared @ known @ shared, 0, 1)))
            rows.append({"pool": name, "component": component + 1, "correlation": correlation})
    return pd.DataFrame(rows, columns=["pool", "component", "correlation"])


def _column(q: Blocks, component: int) -> np.ndarray:
    column = np.empty(q.size)
    for start, block in q.blocks(BLOCK):
        column[start : start + len(block)] = block[:, component]
    return column


def radial(pools: Mapping[str, PoolEnvironments]) -> pd.DataFrame:
    """Return the radial distribution functions (KP figure 2): ``pool``, ``distance`` in angstrom, ``g``."""
    import pandas as pd

    middles = (SHELLS[1:] + SHELLS[:-1]) / 2
    return pd.concat(
        [pd.DataFrame({"pool": n, "distance": middles, "g": pool.pairs / pool.expected}) for n, pool in pools.items()],
        ignore_index=True,
    )


def union(designs: Sequence[tuple[str, Sequence[int]]]) -> list[tuple[str, list[int]]]:
    """Return the first ranks of several designs, equally many of each, together as many as the smallest design has.

    Parameters
    ----------
    designs : sequence of (str, sequence of int)
        Pool and candidates of each.

    Returns
    -------
    list of (str, list of int)
        One entry per pool; candidates that two designs of a pool share are listed once.
    """
    first = max(1, min(len(chosen) for _, chosen in designs) // len(designs))
    parts: dict[str, list[int]] = {}
    for pool, chosen in designs:
        mine = parts.setdefault(pool, [])
        mine += [k for k in chosen[:first] if k not in mine]
    return list(parts.items())


def designs(
    pools: Mapping[str, PoolEnvironments], members: Mapping[str, Sequence[tuple[str, Sequence[int]]]], *, within: float
) -> pd.DataFrame:
    """Measure how far every pool is from the environments that a model learns from each design.

    Parameters
    ----------
    pools : mapping of str to PoolEnvironments
        Standardised.
    members : mapping of str to sequence of (str, sequence of int)
        Design to the pools that it is from, and its candidates in each.
    within : float
        Distance within which an environment is covered.

    Returns
    -------
    DataFrame
        ``design``, ``pool`` asked about (without the members of the design), ``structures`` and ``learnt``
        environments of the design, ``asked``; ``mean``, ``median``, ``q99`` and ``max`` of the distance to the nearest
        learnt; ``covered``, the share within the bound; ``entropy``, the mean over the structures of the design.
    """
    import pandas as pd
    from scipy.spatial import KDTree

    rows = []
    for design, parts in members.items():
        mine = {source: pools[source].atoms_of(chosen) for source, chosen in parts}
        learnt = np.concatenate([pools[source].q.rows(np.flatnonzero(atoms)) for source, atoms in mine.items()])
        tree = KDTree(learnt)
        structures = [pools[source].of(k) for source, chosen in parts for k in chosen]
        entropy = [local_entropy(q)[0] for q in structures if len(q) > 1]
        for name, pool in pools.items():
            left_out = ~mine[name] if name in mine else np.ones(pool.q.size, dtype=bool)
            distance = np.concatenate([
                tree.query(block[left_out[start : start + len(block)]])[0] for start, block in pool.q.blocks(BLOCK)
            ])  # fmt: skip
            rows.append({
                "design": design, "pool": name, "structures": len(structures), "learnt": len(learnt),
                "asked": len(distance), "mean": distance.mean(), "median": np.median(distance),
                "q99": np.quantile(distance, 0.99), "max": distance.max(), "covered": (distance <= within).mean(),
                "entropy": float(np.mean(entropy)) if entropy else np.nan,
            })  # fmt: skip
    return pd.DataFrame(rows)
