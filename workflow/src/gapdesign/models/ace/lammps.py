"""A fitted model as a file that LAMMPS's package ML-PACE reads (.yace), with errors of rounding alone.

ML-PACE expands its radial functions in polynomials of the distance: with `ChebPow` of power one they are
g_k = (1 - T_k(x)) / 2, x = 2 r / r_cut - 1. Those of the model are analytic between 0 and the cut-off, so their
expansion converges geometrically. ace-jax turns couplings of real harmonics into those of complex ones, and tabulates
radial functions; ML-PACE as published reads no tables.

Lysogorskiy et al., npj Computational Materials 7, 97 (2021).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.polynomial import chebyshev

from gapdesign.errors import ProgramError
from gapdesign.files import atomic

RADIAL = 60
"""Polynomials in which radial functions are expanded."""

SAMPLES = 2000
"""Points between the nucleus and the cut-off at which radial functions are sampled."""

CLOSE = 1e-8
"""Largest error of a radial function, relative to the largest value of any, with which a file is written."""

SPACING = 1e-3
"""Spacing, in angstrom, of the tables that ML-PACE makes when it reads the file: its default."""


def write_yace(path: str | Path, model: str | Path) -> None:
    """Convert a model file.

    Raises
    ------
    ProgramError
        If radial functions are not as smooth as expected.
    """
    import jax
    from ace_jax.eval.io import load
    from ace_jax.eval.pace_io import dump_tree
    from ace_jax.export.yace import ace_ctilde_tree

    with jax.enable_x64(True):
        loaded, about, _ = load(model)
        # A trifle less, so that rounding leaves the number of bins as it is.
        step = about["rcut"] / SAMPLES * (1 - 1e-13)
        tree = ace_ctilde_tree(loaded, delta=step, r_min=step)
    pairs = {bond: _expanded([entry["f"] for entry in old["radtable"]["gk"]]) for bond, old in tree["bonds"].items()}
    tree["deltaSplineBins"] = SPACING
    tree["bonds"] = {bond: _bond(old) for bond, old in tree["bonds"].items()}
    for element, functions in tree["functions"].items():
        tree["functions"][element] = [new for old in functions for new in _function(old, pairs)]
    with atomic(path) as temporary:
        dump_tree(tree, temporary)


def _expanded(tables: list[list[float]]) -> np.ndarray:
    """Expand tabulated functions (f, r) in the polynomials g_k of ML-PACE, which vanish at the cut-off; (f, k)."""
    values = np.array(tables).T
    if not values.any():  # around an element that the labels do not have
        return np.zeros((len(tables), RADIAL))
    places = np.linspace(-1, 1, len(values))
    # At the nucleus itself there is no value.
    found = chebyshev.chebfit(places[1:], values[1:], RADIAL)
    found[0] = -found[1:].sum(axis=0)
    error = np.abs(chebyshev.chebval(places[1:], found).T - values[1:]).max() / np.abs(values).max()
    if error > CLOSE:
        raise ProgramError(
            f"models.ace: {RADIAL} polynomials of ML-PACE reproduce the radial functions only to {error:.1g}; lower"
            " models.ace.r_cut or models.ace.degree."
        )
    return -2 * found[1:].T


def _bond(old: dict[str, Any]) -> dict[str, Any]:
    """Return the radial functions of a pair of elements, expanded instead of tabulated."""
    entries = old["radtable"]["rnl"]
    radial = np.zeros((old["nradmax"], old["lmax"] + 1, RADIAL))
    if entries:
        where = [entry["n"] - 1 for entry in entries], [entry["l"] for entry in entries]
        radial[where] = _expanded([entry["f"] for entry in entries])
    new = {key: value for key, value in old.items() if key != "radtable"}
    return new | {
        "nradbasemax": RADIAL,
        "radbasename": "ChebPow",
        "radparameters": [1.0],
        "radcoefficients": radial.tolist(),
    }


def _function(old: dict[str, Any], pairs: dict[tuple[int, int], np.ndarray]) -> list[dict[str, Any]]:
    """Return a product as it is, or the functions that stand for a tabulated function of pairs."""
    if old["rank"] > 1:
        return [old]
    (expansion,) = pairs[old["mu0"], old["mus"][0]]
    return [old | {"ns": [k + 1], "ctildes": [float(value)]} for k, value in enumerate(expansion)]
