"""What labels determine before the training: scale and mean number of neighbours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from gapdesign.models.shared.labels import neighbours

if TYPE_CHECKING:
    from ase import Atoms


def mean_neighbours(frames: Sequence[Atoms], r_cut: float) -> float:
    """Return the mean number of neighbours of an atom; 1 if no atom has any, since the model divides by it."""
    return neighbours(frames, r_cut) or 1.0


def scale(labels: Mapping[str, np.ndarray]) -> float:
    """Return the size of the energies that the model's terms are multiplied by, in eV; 1 if nothing tells.

    It is the root mean square of forces, in eV/angstrom, or that of virials per atom where that is larger: in small
    cells forces vanish by symmetry.
    """
    virials = (labels["virials"] / labels["sizes"][:, None, None])[labels["has_virial"]]
    sizes = [float(np.sqrt(np.mean(each**2))) for each in (labels["forces"], virials) if each.size]
    return max(sizes) or 1.0
