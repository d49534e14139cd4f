"""What descriptors of different kinds see on the same structures, and at what cost.

Two structures whose atoms have their neighbours at other distances are different, whatever a descriptor says. So
:mod:`.distances`, which needs no model, shows the pairs that another descriptor does not tell apart.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from gapdesign.descriptors import Descriptor, environments_of
from gapdesign.descriptors.covariance import Covariance
from gapdesign.descriptors.scaling import scaling_of
from gapdesign.descriptors.tuning import blind_distances, visibility
from gapdesign.quality.measures import ORTHOGONAL, OVERLAPPING, pair_distances

if TYPE_CHECKING:
    import pandas as pd

    from gapdesign.descriptors.kernel import KernelOptions
    from gapdesign.descriptors.options import DescriptorOptions
    from gapdesign.structures import Batch

REFERENCE = "distances"
"""The descriptor by which pairs are known to be different."""


def compare(
    batch: Batch,
    species: Sequence[int],
    descriptor: DescriptorOptions,
    kernel: KernelOptions,
    backends: Sequence[str],
    progress: Callable[[str], None] = lambda line: None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Describe a trial pool by several descriptors, each by itself, without the pairs of the kernel.

    Parameters
    ----------
    batch : Batch
        The trial pool, of two structures or more.
    species : sequence of int
        Atomic numbers of the study; the dimer is of the first.
    descriptor, kernel : DescriptorOptions, KernelOptions
        Options of all descriptors and of the kernel.
    backends
        Names of the descriptors.
    progress : callable
        Called with a line for each descriptor.

    Returns
    -------
    table : pandas.DataFrame
        A row per descriptor. ``numbers`` of an environment; ``seconds_per_atom`` of CPU time, once the program is
        loaded; ``overlapping_share`` and ``orthogonal_share`` of all pairs, and ``median_d2``; ``unseen_share``, pairs
        that overlap although by distances to neighbours they do not and are among the farther half, and
        ``unseen_pair``, the candidates of the closest of these; ``variation`` and ``blind`` as for
        :func:`gapdesign.descriptors.tuning.scan`, empty for descriptors that cannot describe a dimer or a
        lone atom.
    radial : pandas.DataFrame
        ``backend``, ``distance`` (angstrom) and ``visibility`` of a dimer.
    """
    import pandas as pd

    chosen = kernel.model_copy(update={"pair": kernel.pair.model_copy(update={"scale": 0.0})})
    if chosen.soap.scale == 0:
        chosen = chosen.model_copy(update={"soap": chosen.soap.model_copy(update={"scale": 1.0})})
    atoms = int(batch.offsets[-1])
    first, second = np.triu_indices(len(batch), 1)
    told, costs, curves = {}, {}, []
    for name in dict.fromkeys([REFERENCE, *backends]):
        asked = descriptor.model_copy(update={"backend": name})
        described = _ready(batch, species, asked)
        described.features(batch.take([0]))
        began = time.process_time()
        features = described.features(batch)
        costs[name] = (time.process_time() - began) / atoms
        told[name] = pair_distances(features, Covariance(described.layout, chosen))
    farther = told[REFERENCE] >= max(OVERLAPPING, np.median(told[REFERENCE]))
    rows = []
    for name in backends:
        asked, squared = descriptor.model_copy(update={"backend": name}), told[name]
        row = {
            "backend": name,
            "numbers": asked.member.dimension(asked.options, len(species)),
            "seconds_per_atom": costs[name],
            "overlapping_share": float((squared < OVERLAPPING).mean()),
            "orthogonal_share": float((squared > ORTHOGONAL).mean()),
            "median_d2": float(np.median(squared)),
            "unseen_share": float(((squared < OVERLAPPING) & farther).mean()),
            "unseen_pair": "",
        }
        if farther.any():
            closest = int(np.flatnonzero(farther)[np.argmin(squared[farther])])
            row["unseen_pair"] = f"{batch.candidates[first[closest]]} {batch.candidates[second[closest]]}"
        if not asked.member.files_of_structures:
            distances, seen = visibility(asked, species)
            if np.isfinite(seen).all():
                with np.errstate(divide="ignore"):  # beyond its reach a descriptor sees nothing
                    row["variation"] = float(seen.max() / seen.min())
                row["blind"] = " ".join(f"{r:.2f}" for r in blind_distances(distances, seen))
                curves.append(pd.DataFrame({"backend": name, "distance": distances, "visibility": seen}))
        rows.append(row)
        progress(
            f"{name}: {row['numbers']} numbers, {1e6 * row['seconds_per_atom']:.0f} microseconds an atom,"
            f" {100 * row['overlapping_share']:.3g} % overlapping, {100 * row['orthogonal_share']:.3g} % orthogonal,"
            f" {100 * row['unseen_share']:.3g} % unseen"
        )
    columns = ["backend", "distance", "visibility"]
    return pd.DataFrame(rows), pd.concat(curves, ignore_index=True) if curves else pd.DataFrame(columns=columns)


def _ready(batch: Batch, species: Sequence[int], asked: DescriptorOptions) -> Descriptor:
    """Return a descriptor without pairs, with the scale of the trial pool where its components are not raw."""
    if asked.components == "raw":
        return Descriptor(asked, None, species)
    member = asked.member(asked.options, tuple(sorted(species)))
    found = [environments_of(member, batch, k) for k in range(len(batch))]
    return Descriptor(asked, None, species, scaling_of(found, species, asked.components))
