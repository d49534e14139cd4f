"""Potentials of the replay as files: gap_fit writes one with the basis, and its coefficients are replaced."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from gapdesign.errors import ProgramError
from gapdesign.models.gap.expansion import Expansion, Model
from gapdesign.models.gap.program import find_gap_fit, potential, terms

if TYPE_CHECKING:
    from ase import Atoms

_ALPHA = re.compile(r'(<sparseX i="\d+" alpha=")[^"]*(")')


def gap_fit(
    basis: Expansion,
    model: Model,
    boxes: Sequence[Atoms],
    frames: Sequence[Atoms],
    *,
    energy: float,
    force: float,
    virial: float,
) -> str:
    """Return the potential that gap_fit fits in a basis, as the text of one file.

    Parameters
    ----------
    boxes, frames
        Isolated atoms in boxes and structures, with the labels they have: ``REF_energy`` and ``REF_virial`` (nine
        numbers) in ``info``, ``REF_forces`` in ``arrays``, and ``config_type``.
    energy, force, virial
        Expected errors, as in gap_fit's `default_sigma`.
    """
    data = [*boxes, *frames]
    expected = {
        "energies": sum("REF_energy" in atoms.info for atoms in data),
        "forces": sum(3 * len(atoms) for atoms in frames if "REF_forces" in atoms.arrays),
        "virials": sum(6 for atoms in frames if "REF_virial" in atoms.info),
    }
    sigmas = {"energy": energy, "force": force, "virial": virial}
    text, _ = potential(find_gap_fit(), data, terms(basis, model), expected, **sigmas, jitter=model.jitter)
    return text


def with_coefficients(template: str, coefficients: np.ndarray) -> str:
    """Return a potential of :func:`gap_fit` with other coefficients (m,), in the order of the basis.

    Raises
    ------
    ProgramError
        If the potential has a different number of them.
    """
    values = iter(coefficients.tolist())
    count = len(_ALPHA.findall(template))
    if count != len(coefficients):
        raise ProgramError(f"the potential that gap_fit wrote has {count} coefficients, not {len(coefficients)}.")
    return _ALPHA.sub(lambda found: f"{found[1]}{next(values)!r}{found[2]}", template)


def calculator(text: str):
    """Return the potential as a calculator of ASE (quippy)."""
    from quippy.potential import Potential

    return Potential("IP GAP", param_str=text)
