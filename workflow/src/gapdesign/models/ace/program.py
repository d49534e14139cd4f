"""The basis that ace-jax builds, and the files of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.data import chemical_symbols

from gapdesign import records
from gapdesign.descriptors.ace import HEAVIEST, Asked, build, missing
from gapdesign.errors import InputError
from gapdesign.files import read_arrays, write_arrays
from gapdesign.models.ace.basis import Basis

if TYPE_CHECKING:
    from gapdesign.models.ace.options import AcePotentialOptions

ASKED = Asked("models.ace", "models.ace.r_cut", "model")
"""How messages call what asks for a basis."""


def check(species: Sequence[int]) -> None:
    """Check that ace-jax knows the elements of a study.

    Raises
    ------
    InputError
        If there is one that it does not.
    """
    if unknown := [chemical_symbols[z] for z in species if z > HEAVIEST]:
        raise InputError(f"models.ace: ace-jax knows no {unknown[0]}; choose another model.")


def require() -> None:
    """Check that ace-jax is installed.

    Raises
    ------
    InputError
        If it is not.
    """
    if find_spec("ace_jax") is None:
        raise missing(ASKED)


def new_basis(options: AcePotentialOptions, species: Sequence[int]) -> Basis:
    """Return a basis without a model file.

    Raises
    ------
    InputError
        If ace-jax is not installed, or the radius is smaller than a bond.
    """
    built = build(options.order, options.degree, options.r_cut, species, ASKED)
    from ace_jax.basis.export import save_npz

    with BytesIO() as stream:
        # Solid harmonics would make functions larger by r^l, of which the prior of their coefficients knows nothing.
        save_npz(stream, built._replace(model=replace(built.model, ysolid=False)))
        stream.seek(0)
        arrays = dict(np.load(stream))
    return basis_of(arrays)


def basis_of(arrays: Mapping[str, np.ndarray]) -> Basis:
    """Return the basis in the arrays of a model file.

    Raises
    ------
    ValueError
        If they are no model of ace-jax, or one with other functions.
    """
    import json

    if not {"meta_json", "WB", "Wpair", "E0", "A2B_vals"} <= set(arrays):
        raise ValueError("it holds no model of ace-jax")
    about = json.loads(bytes(arrays["meta_json"]).decode())
    known = {"schema_version": 1, "radial_kind": "analytic", "ybasis_kind": "real_sphericalharmonics"}
    others = [name for name, value in known.items() if about.get(name) != value]
    if others or about["basis"].get("rnl_basis", "poly") != "poly" or arrays["Wpair"].any():
        raise ValueError("its functions are not those of a model that gapdesign fitted")
    elements = arrays["elements"].tolist()
    if elements != sorted(elements):
        raise ValueError("its elements are not in ascending order")
    return Basis(arrays, tuple(map(int, elements)), float(about["rcut"]), int(about["lmax"]))


def write_model(path: Path, basis: Basis, coefficients: np.ndarray, alone: np.ndarray) -> None:
    """Write a model as ace-jax does; equal models give equal bytes.

    Parameters
    ----------
    coefficients : (d,)
        In eV.
    alone
        Energies of isolated atoms, in eV.
    """
    readout = np.ascontiguousarray(coefficients.reshape(len(basis.species), basis.width).T)
    write_arrays(path, {**basis.arrays, "WB": readout, "E0": alone})


def read_model(path: str | Path) -> tuple[Basis, np.ndarray, np.ndarray]:
    """Read a model: its basis, its coefficients (functions, elements), and the energies of isolated atoms.

    Raises
    ------
    InputError
        If the file is missing, damaged or no model of this kind.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: no such potential; fit the model again.")
    records.check(path)

    def model(arrays: dict[str, np.ndarray]) -> tuple[Basis, Any, Any]:
        return basis_of(arrays), arrays["WB"], arrays["E0"]

    return read_arrays(path, model, run="the fit of the model")
