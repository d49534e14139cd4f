"""Labels from ``vasprun.xml``, in which VASP reports its input, what it did and its results."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gapdesign.engines.base import Label, NotConvergedError
from gapdesign.engines.shared.convergence import refuse_electrons

if TYPE_CHECKING:
    from ase import Atoms
    from pymatgen.io.vasp.outputs import Vasprun

_KILOBAR = 0.1
"""One kilobar, in GPa."""


@dataclass(frozen=True, eq=False)
class Calculation:
    """Content of a ``vasprun.xml`` for one structure.

    Parameters
    ----------
    atoms
        The structure of the last ionic step.
    label
        Its label: the free energy, of which forces and stress are derivatives.
    ionic_steps
        Number of ionic steps: 1 in a static run.
    parameters
        Every parameter that VASP used, by its tag in INCAR, whether given or a default.
    points, weights
        Irreducible k-points, shape (k, 3), fractional, and their weights, shape (k,).
    titles
        Titles of the POTCAR of each species.
    version
        Version of VASP.
    """

    atoms: Atoms
    label: Label
    ionic_steps: int
    parameters: dict[str, Any]
    points: np.ndarray
    weights: np.ndarray
    titles: tuple[str, ...]
    version: str

    @property
    def cutoff(self) -> float:
        """The cut-off of the plane waves, in eV."""
        return float(self.parameters["ENMAX"])


def parse(path: str | Path) -> Calculation:
    """Read the last ionic step of a ``vasprun.xml``, which may be compressed.

    The energy is ``e_fr_energy``, the free energy: with smearing, forces and stress are its derivatives, not those of
    the energy extrapolated to zero width. VASP prints stress in kilobar, positive under compression.

    Raises
    ------
    NotConvergedError
        If the file is missing or cut off, if the electrons or, in a relaxation, the atoms did not converge, or if there
        are no forces or no stress.
    """
    path = Path(path)
    run = _read(path)
    if not run.ionic_steps:
        raise NotConvergedError(f"{path.name} holds no ionic step.")
    step = run.ionic_steps[-1]
    _refuse_unconverged(run, step["electronic_steps"], path.name)
    for name in ("forces", "stress"):
        if name not in step:
            raise NotConvergedError(f"{path.name}: the last ionic step has no {name}.")
    atoms = run.ionic_steps[-1]["structure"].to_ase_atoms(msonable=False)
    return Calculation(
        atoms=_bare(atoms),
        label=_label(step, atoms.get_volume()),
        ionic_steps=len(run.ionic_steps),
        parameters=dict(run.parameters),
        points=np.array(run.actual_kpoints),
        weights=np.array(run.actual_kpoints_weights),
        titles=tuple(" ".join(title.split()) for title in run.potcar_symbols),
        version=run.vasp_version.split()[0],
    )


def _read(path: Path) -> Vasprun:
    from pymatgen.io.vasp.outputs import UnconvergedVASPWarning, Vasprun

    try:
        with warnings.catch_warnings():
            # Unconverged runs are refused below, with the reason.
            warnings.simplefilter("ignore", UnconvergedVASPWarning)
            return Vasprun(path, parse_dos=False, parse_eigen=False, parse_potcar_file=False)
    except FileNotFoundError:
        raise NotConvergedError(f"There is no {path.name}.") from None
    except (SyntaxError, EOFError) as error:  # raised by the two XML parsers that pymatgen may use
        raise NotConvergedError(f"{path.name} is cut off or damaged ({error}).") from error
    except (KeyError, IndexError, ValueError, TypeError, AttributeError) as error:
        raise NotConvergedError(f"{path.name} is incomplete ({type(error).__name__}: {error}).") from error


def _refuse_unconverged(run: Vasprun, steps: list[dict[str, float]], name: str) -> None:
    missing = [tag for tag in ("NELM", "EDIFF") if tag not in run.parameters]
    if missing:
        raise NotConvergedError(f"{name} does not say what {missing[0]} was.")
    energies = [step["e_fr_energy"] for step in steps if "e_fr_energy" in step]
    reason = refuse_electrons(
        len(steps),
        energies[-1] - energies[-2] if len(energies) > 1 else None,
        limit=int(run.parameters["NELM"]),
        tolerance=float(run.parameters["EDIFF"]),
    )
    if reason:
        raise NotConvergedError(f"{name}: {reason}.")
    if not run.converged_ionic:
        raise NotConvergedError(f"{name}: the atoms did not come to rest in {run.parameters['NSW']} steps (NSW).")


def _label(step: dict[str, Any], volume: float) -> Label:
    from ase.units import GPa

    stress = np.array(step["stress"], dtype=float) * _KILOBAR * GPa
    return Label(
        energy=float(step["e_fr_energy"]),
        forces=np.array(step["forces"], dtype=float),
        virial=volume * (stress + stress.T) / 2,
    )


def _bare(atoms: Atoms) -> Atoms:
    from ase import Atoms

    return Atoms(atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=True)
