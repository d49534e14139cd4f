"""Choice of a descriptor before anything else (BR 3.1): how well it separates a few candidates, and what it sees.

A good descriptor leaves few pairs of candidates overlapping and few orthogonal. And it sees a neighbour at every
distance: the visibility of a dimer is how far the SOAP vector of one atom moves when the other comes from infinity
to r. With Gaussians narrower than the spacing of the radial functions, a neighbour between two of them is hardly seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby, product
from operator import itemgetter
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms

from gapdesign.descriptors import DESCRIPTORS, Descriptor
from gapdesign.descriptors.covariance import Covariance, Layout
from gapdesign.descriptors.kernel import KernelOptions, SoapKernelOptions
from gapdesign.descriptors.soap import SoapDescriptor, SoapOptions
from gapdesign.errors import InputError
from gapdesign.quality.measures import ORTHOGONAL, OVERLAPPING, pair_distances
from gapdesign.structures import pack

if TYPE_CHECKING:
    import pandas as pd

    from gapdesign.descriptors.options import DescriptorOptions
    from gapdesign.structures import Batch

NEAREST = 1.5
"""Shortest dimer, in angstrom."""

TRANSITION = 0.5
"""Distance of the longest dimer below the cutoff, in angstrom, where QUIP's SOAP fades out."""

REACH = 6.0
"""Cutoff, in angstrom, of descriptors that have no option for it."""

STEP = 0.02
"""Spacing of the dimers, in angstrom."""

BLIND = 0.1
"""A descriptor is nearly blind where it sees less than this share of its mean."""


def settings(
    soap: SoapOptions, kernel: KernelOptions, scanned: Mapping[str, Sequence[float]]
) -> Iterator[tuple[SoapOptions, KernelOptions]]:
    """Yield every combination of the scanned values; all other keys are as given.

    Parameters
    ----------
    soap, kernel : SoapOptions, KernelOptions
    scanned : mapping
        ``sigma``, ``r_cut``, ``n_max``, ``l_max`` or ``zeta`` to values.

    Raises
    ------
    pydantic.ValidationError
        If a value is out of bounds.
    """
    for values in product(*scanned.values()):
        chosen = dict(zip(scanned, values, strict=True))
        power = SoapKernelOptions.model_validate(
            kernel.soap.model_dump() | {"zeta": chosen.pop("zeta", kernel.soap.zeta)}
        )
        yield SoapOptions.model_validate(soap.model_dump() | chosen), kernel.model_copy(update={"soap": power})


def scan(
    batch: Batch,
    species: Sequence[int],
    descriptor: DescriptorOptions,
    kernel: KernelOptions,
    scanned: Mapping[str, Sequence[float]],
    progress: Callable[[str], None] = lambda line: None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Measure the descriptors of a trial pool.

    Parameters
    ----------
    batch : Batch
        The trial pool.
    species : sequence of int
        Atomic numbers of the study; the dimer is of the first.
    descriptor, kernel : DescriptorOptions, KernelOptions
        Options for the keys that are not scanned.
    scanned : mapping
        As for :func:`settings`.
    progress : callable
        Called with a line for each setting.

    Returns
    -------
    shares : pandas.DataFrame
        One row per setting: its parameters; ``overlapping_share`` and ``orthogonal_share`` of all pairs by the complete
        covariance, and the same by SOAP alone; ``median_d2``; ``variation``, largest over smallest visibility; and
        ``blind``, the distances (angstrom, separated by blanks) at which less than a tenth of the mean is seen.
    radial : pandas.DataFrame
        One row per setting and distance: the parameters, ``distance`` and ``visibility``.

    Raises
    ------
    InputError
        If the descriptor is not SOAP.
    """
    import pandas as pd

    if not issubclass(descriptor.member, SoapDescriptor):
        raise InputError(
            f"descriptor.backend: only SOAP can be tuned, and '{descriptor.backend}' is not SOAP; choose from"
            f" {', '.join(name for name, member in DESCRIPTORS.items() if issubclass(member, SoapDescriptor))}."
        )
    rows, curves = [], []
    for soap, powers in groupby(settings(descriptor.soap, kernel, scanned), key=itemgetter(0)):
        asked = descriptor.model_copy(update={"soap": soap})
        described = Descriptor(asked, kernel.pair.shape, species)
        features, (distances, seen) = described.features(batch), visibility(asked, species)
        blind = " ".join(f"{r:.2f}" for r in blind_distances(distances, seen))
        for _, whole in powers:
            parameters = soap.model_dump() | {"zeta": whole.soap.zeta}
            row = parameters | _told_apart(features, described.layout, whole)
            rows.append(row | {"variation": float(seen.max() / seen.min()), "blind": blind})
            curves.append(pd.DataFrame({**parameters, "distance": distances, "visibility": seen}))
            progress(
                f"sigma {soap.sigma:g}, r_cut {soap.r_cut:g}, n_max {soap.n_max}, l_max {soap.l_max}, zeta"
                f" {whole.soap.zeta}: {100 * row['overlapping_share']:.3g} % overlapping,"
                f" {100 * row['orthogonal_share']:.3g} % orthogonal, variation {rows[-1]['variation']:.3g}"
            )
    return pd.DataFrame(rows), pd.concat(curves, ignore_index=True)


def _told_apart(features: np.ndarray, layout: Layout, kernel: KernelOptions) -> dict[str, float]:
    """Return the columns of :func:`scan` about distances of pairs, by the complete covariance and by SOAP alone."""
    complete = pair_distances(features, Covariance(layout, kernel))
    told = _shares(complete, "") | {"median_d2": float(np.median(complete))}
    if kernel.soap.scale > 0:
        alone = kernel.model_copy(update={"pair": kernel.pair.model_copy(update={"scale": 0.0})})
        told |= _shares(pair_distances(features, Covariance(layout, alone)), "soap_")
    return told


def _shares(squared: np.ndarray, prefix: str) -> dict[str, float]:
    return {
        f"{prefix}overlapping_share": float((squared < OVERLAPPING).mean()),
        f"{prefix}orthogonal_share": float((squared > ORTHOGONAL).mean()),
    }


def visibility(descriptor: DescriptorOptions, species: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Return how strongly the vector of an atom responds to a neighbour at distance r.

    V(r) = r^2 |p(r) - p(lone)|^2, with p of unit length. The factor takes out the solid angle that the neighbour
    fills, so that for an even descriptor V changes slowly.

    Parameters
    ----------
    descriptor : DescriptorOptions
    species : sequence of int
        Atomic numbers of the study; both atoms are of the first.

    Returns
    -------
    distances, visibilities : (n,) float64
        r in angstrom, and V in angstrom squared; not a number if the vector of a lone atom is zero.

    Raises
    ------
    InputError
        If the cutoff is so small that no dimer is left.
    """
    options = descriptor.options
    reach = getattr(options, "r_cut", REACH)
    if reach < (least := NEAREST + 2 * TRANSITION):
        key = f"descriptor.{descriptor.member.block}.r_cut"
        raise InputError(f"{key}: {reach} is too small to tell distances apart; give {least}.")
    distances = np.arange(NEAREST, reach - TRANSITION + 1e-9, STEP)
    edge = 2 * reach + 10
    dimers = [Atoms(numbers=[species[0]] * 2, positions=[[0, 0, 0], [r, 0, 0]]) for r in distances]
    for atoms in [*dimers, lone := Atoms(numbers=[species[0]], positions=[[0, 0, 0]])]:
        atoms.set_cell([edge] * 3)
        atoms.pbc = True
    describe = descriptor.member(options, tuple(species))
    batch = pack([lone, *dimers])
    spectra = np.vstack([describe(batch, k, np.array([0])) for k in range(len(batch))])
    with np.errstate(invalid="ignore"):
        spectra /= np.linalg.norm(spectra, axis=1, keepdims=True)
    return distances, distances**2 * ((spectra[1:] - spectra[0]) ** 2).sum(axis=1)


def blind_distances(distances: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Return the distances of the minima at which less than ``BLIND`` of the mean is seen."""
    inner = seen[1:-1]
    minima = (inner < seen[:-2]) & (inner <= seen[2:]) & (inner < BLIND * seen.mean())
    return distances[1:-1][minima]
