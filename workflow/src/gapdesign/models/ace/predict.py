"""Energies, forces and virials of a fitted model, without ace-jax."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from ase.data import chemical_symbols

from gapdesign.engines.base import Label
from gapdesign.errors import InputError
from gapdesign.models.ace.program import read_model

if TYPE_CHECKING:
    from ase import Atoms

    from gapdesign.models.ace.basis import Basis
    from gapdesign.properties.base import Evaluate


def evaluator(path: str | Path) -> Evaluate:
    """Return the function from a structure to what a model predicts; a cell without a volume has no virial.

    Raises
    ------
    InputError
        If the file is missing, damaged or no model of this kind.
    """
    return of_model(path, *read_model(path))


def of_model(path: str | Path, basis: Basis, readout: np.ndarray, alone: np.ndarray) -> Evaluate:
    """Return the function from a structure to what a model, read from a file, predicts.

    Parameters
    ----------
    readout : (functions, elements)
        Coefficients.
    alone : (elements,)
        Energies of isolated atoms, in eV.
    """
    weights = np.ascontiguousarray((basis.coupling.T @ readout).T)

    def evaluate(atoms: Atoms) -> Label:
        if others := set(atoms.numbers.tolist()) - set(basis.species):
            known = ", ".join(chemical_symbols[z] for z in basis.species)
            raise InputError(f"{path}: a model of {known} knows no {chemical_symbols[min(others)]}; fit another one.")
        return predicted(basis, weights, alone, atoms)

    return evaluate


def predicted(basis: Basis, weights: np.ndarray, alone: np.ndarray, atoms: Atoms) -> Label:
    """Evaluate a structure.

    Parameters
    ----------
    weights : (elements, products)
        Coefficients of the products around an atom of each element.
    alone : (elements,)
        Energies of isolated atoms, in eV.
    """
    kinds = np.searchsorted(basis.species, atoms.numbers)
    energy, forces, virial = float(alone[kinds].sum()), np.zeros((len(atoms), 3)), np.zeros((3, 3))
    for edges in basis.edges(atoms):
        terms, slopes = basis.factors(edges)
        factors, own = edges.pooled(terms), weights[kinds[edges.centres]]
        energy += float((basis.multiplied(factors) * own).sum())
        centres = np.repeat(np.arange(len(edges.centres)), np.diff(edges.starts))
        pulls = np.einsum("ea,eac->ec", basis.pulled(factors, own)[centres], slopes)
        np.add.at(forces, edges.others, -pulls)
        forces[edges.centres] += edges.pooled(pulls)
        virial -= np.einsum("ec,ed->cd", pulls, edges.vectors)
    return Label(energy, forces, (virial + virial.T) / 2 if atoms.cell.rank == 3 else None)
