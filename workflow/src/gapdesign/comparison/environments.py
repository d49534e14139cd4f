"""The environments of the atoms of a pool: their descriptors, entropies, histograms and radial distribution (KP)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms

from gapdesign.files import read_arrays, write_arrays
from gapdesign.samplers.shared.differentiable import Differentiable
from gapdesign.samplers.shared.diversity import local_entropy

if TYPE_CHECKING:
    import pandas as pd

SHELLS = np.linspace(0.0, 8.0, 161)
"""Bounds of the shells of radial distributions, in angstrom."""

_BINS = 60
_SHOWN = 0.995


@dataclass(frozen=True)
class PoolEnvironments:
    """The environments of a pool.

    Attributes
    ----------
    q : (N, m)
        Descriptors of all atoms.
    offsets : (structures + 1,)
        Positions at which the atoms of each structure begin.
    pairs : (shells,)
        Neighbours found in each shell of ``SHELLS``, over all atoms.
    expected : (shells,)
        Number expected without order at the same densities.
    """

    q: np.ndarray
    offsets: np.ndarray
    pairs: np.ndarray
    expected: np.ndarray

    @property
    def structures(self) -> int:
        """Number of structures."""
        return len(self.offsets) - 1

    def of(self, structure: int) -> np.ndarray:
        """Return the descriptors (n, m) of the atoms of one structure."""
        return self.q[self.offsets[structure] : self.offsets[structure + 1]]

    def atoms_of(self, structures: Sequence[int]) -> np.ndarray:
        """Return whether each atom (N,) belongs to one of some structures."""
        chosen = np.zeros(self.structures, dtype=bool)
        chosen[np.asarray(structures, dtype=int)] = True
        return np.repeat(chosen, np.diff(self.offsets))


def describe(structures: Iterable[Atoms], descriptor: Differentiable) -> PoolEnvironments:
    """Describe the atoms of structures."""
    from matscipy.neighbours import neighbour_list

    q, pairs = [], np.zeros(len(SHELLS) - 1)
    expected = np.zeros(len(SHELLS) - 1)
    volumes = 4 / 3 * np.pi * np.diff(SHELLS**3)
    for atoms in structures:
        q.append(descriptor(atoms))
        pairs += np.histogram(neighbour_list("d", atoms, SHELLS[-1]), SHELLS)[0]
        expected += len(atoms) ** 2 / atoms.cell.volume * volumes
    sizes = [len(values) for values in q]
    return PoolEnvironments(np.concatenate(q), np.concatenate([[0], np.cumsum(sizes)]), pairs, expected)


def write(path: Path, environments: PoolEnvironments) -> None:
    """Write environments atomically."""
    write_arrays(path, {field.name: getattr(environments, field.name) for field in fields(environments)})


def read(path: Path) -> PoolEnvironments:
    """Read environments.

    Raises
    ------
    InputError
        If the file is missing or damaged.
    """
    return read_arrays(path, lambda arrays: PoolEnvironments(**arrays), run="snakemake environments")


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
    values = {name: pool.q[:, :components] for name, pool in pools.items()}
    if cube_root:
        values = {name: np.cbrt(q) for name, q in values.items()}
    whole = values[scaled_by] if scaled_by is not None else np.concatenate(list(values.values()))
    mean, deviation = whole.mean(axis=0), np.maximum(whole.std(axis=0), 1e-12)
    return {name: replace(pool, q=(values[name] - mean) / deviation) for name, pool in pools.items()}


def entropies(pools: Mapping[str, PoolEnvironments]) -> pd.DataFrame:
    """Return KP's entropy of structures with two atoms or more: ``pool``, ``structure``, ``atoms``, ``entropy``."""
    import pandas as pd

    return pd.DataFrame(
        [
            {"pool": name, "structure": k, "atoms": len(pool.of(k)), "entropy": local_entropy(pool.of(k))[0]}
            for name, pool in pools.items()
            for k in range(pool.structures)
            if len(pool.of(k)) > 1
        ],
        columns=["pool", "structure", "atoms", "entropy"],
    )


def histograms(pools: Mapping[str, PoolEnvironments]) -> pd.DataFrame:
    """Return the distribution of each component in each pool (KP figures 4 to 7).

    Returns
    -------
    DataFrame
        ``pool``, ``component`` (from 1), ``low``, ``high``, ``density``; all pools have the same bounds, which leave
        out the largest 0.5 % of a pool.
    """
    import pandas as pd

    tables = []
    for component in range(next(iter(pools.values())).q.shape[1]):
        values = {name: pool.q[:, component] for name, pool in pools.items()}
        least = min(some.min() for some in values.values())
        most = max(np.quantile(some, _SHOWN) for some in values.values())
        bounds = np.linspace(least, most, _BINS)
        for name, some in values.items():
            counts = np.histogram(some, bounds)[0] / (len(some) * np.diff(bounds))
            tables.append(pd.DataFrame({
                "pool": name, "component": component + 1, "low": bounds[:-1], "high": bounds[1:], "density": counts,
            }))  # fmt: skip
    return pd.concat(tables, ignore_index=True)


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
        learnt = np.concatenate([pools[source].q[atoms] for source, atoms in mine.items()])
        tree = KDTree(learnt)
        structures = [pools[source].of(k) for source, chosen in parts for k in chosen]
        entropy = [local_entropy(q)[0] for q in structures if len(q) > 1]
        for name, pool in pools.items():
            asked = pool.q[~mine[name]] if name in mine else pool.q
            distance = tree.query(asked)[0]
            rows.append({
                "design": design, "pool": name, "structures": len(structures), "learnt": len(learnt),
                "asked": len(asked), "mean": distance.mean(), "median": np.median(distance),
                "q99": np.quantile(distance, 0.99), "max": distance.max(), "covered": (distance <= within).mean(),
                "entropy": float(np.mean(entropy)) if entropy else np.nan,
            })  # fmt: skip
    return pd.DataFrame(rows)
