"""A potential of the replay as a file: gap_fit writes one with the basis, and its coefficients are replaced."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gapdesign.errors import ProgramError
from gapdesign.gap.fit import check_counts, find_gap_fit, run_gap_fit, timeless, write_data, write_points
from gapdesign.replay.basis import Basis, Model

if TYPE_CHECKING:
    from ase import Atoms

_ALPHA = re.compile(r'(<sparseX i="\d+" alpha=")[^"]*(")')
_DATA, _POTENTIAL = "data.xyz", "gp.xml"


def gap_fit(
    basis: Basis,
    model: Model,
    boxes: Sequence[Atoms],
    frames: Sequence[Atoms],
    *,
    energy: float,
    force: float,
    virial: float,
) -> str:
    """The potential that gap_fit fits in a basis, as the text of one file.

    Parameters
    ----------
    boxes, frames
        Isolated atoms in boxes and structures, with the labels that there are: ``REF_energy`` and ``REF_virial`` (nine
        numbers) in ``info``, ``REF_forces`` in ``arrays``, and ``config_type``.
    energy, force, virial
        Expected errors, as in gap_fit's `default_sigma`.
    """
    program = find_gap_fit()
    with tempfile.TemporaryDirectory(prefix="gapdesign-replay-") as name:
        folder = Path(name)
        write_data(folder / _DATA, [*boxes, *frames])
        arguments = [
            f"at_file={_DATA}",
            f"gp_file={_POTENTIAL}",
            "energy_parameter_name=REF_energy",
            "force_parameter_name=REF_forces",
            "virial_parameter_name=REF_virial",
            "config_type_parameter_name=config_type",
            "e0_method=isolated",
            f"default_sigma={{{energy!r} {force!r} {virial!r} 0.0}}",
            f"sparse_jitter={model.jitter!r}",
            "do_copy_at_file=F",
            "sparse_separate_file=F",
            f"gap={{{_terms(basis, model, folder)}}}",
        ]
        log = run_gap_fit(program, arguments, folder=folder)
        expected = {
            "energies": sum("REF_energy" in atoms.info for atoms in [*boxes, *frames]),
            "forces": sum(3 * len(atoms) for atoms in frames if "REF_forces" in atoms.arrays),
            "virials": sum(6 for atoms in frames if "REF_virial" in atoms.info),
        }
        check_counts(log, expected)
        return timeless((folder / _POTENTIAL).read_text(encoding="utf-8"))


def _terms(basis: Basis, model: Model, folder: Path) -> str:
    """Write the points of every term into ``folder``, and give gap_fit's terms."""
    kernel, terms = model.kernel, []
    for key, _ in basis.columns():
        if isinstance(key, tuple):
            name, points = f"pair-{key[0]}-{key[1]}.txt", basis.pairs[key][:, None]
            string = (
                f"{model.pair_string(key)} covariance_type=ard_se theta_uniform={kernel.pair.length!r}"
                f" delta={kernel.pair.scale!r}"
            )
        else:
            name, points = f"soap-{key}.txt", basis.soap[key]
            # Inside the braces around all terms gap_fit strips one pair of those around a list.
            soap = model.soap_string(key, basis.elements).replace("{", "{{").replace("}", "}}")
            string = f"{soap} covariance_type=dot_product zeta={kernel.soap.zeta} delta={kernel.soap.scale!r}"
        write_points(folder / name, points)
        terms.append(f"{string} add_species=F sparse_method=FILE sparse_file={name} n_sparse={len(points)}")
    return " : ".join(terms)


def with_coefficients(template: str, coefficients: np.ndarray) -> str:
    """A potential of :func:`gap_fit` with other coefficients (m,), in the order of the basis.

    Raises
    ------
    ProgramError
        If the potential has another number of them.
    """
    values = iter(coefficients.tolist())
    count = len(_ALPHA.findall(template))
    if count != len(coefficients):
        raise ProgramError(f"the potential that gap_fit wrote has {count} coefficients and not {len(coefficients)}.")
    return _ALPHA.sub(lambda found: f"{found[1]}{next(values)!r}{found[2]}", template)


def calculator(text: str):
    """The potential as a calculator of ASE (quippy)."""
    from quippy.potential import Potential

    return Potential("IP GAP", param_str=text)
