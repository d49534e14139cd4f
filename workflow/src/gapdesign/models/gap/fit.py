"""A potential fitted to a labelled design by gap_fit: it uses all data, and repeats to the byte (BR 3.2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gapdesign.errors import InputError
from gapdesign.files import write_text
from gapdesign.models.gap.costs import Points, Work
from gapdesign.models.gap.environments import boxed, energies_above_atoms, environments
from gapdesign.models.gap.points import distinct_environments, expand, model_of
from gapdesign.models.gap.program import find_gap_fit, potential, terms

if TYPE_CHECKING:
    from ase import Atoms

    from gapdesign.descriptors.kernel import CovarianceOptions
    from gapdesign.descriptors.soap import SoapOptions
    from gapdesign.models.gap.hyperparameters import Hyperparameters
    from gapdesign.models.gap.options import GapOptions


@dataclass(frozen=True)
class Fit:
    """Summary of a run of gap_fit.

    Attributes
    ----------
    energies, forces, virials
        Numbers of values fitted; components count singly, three per atom and six per structure.
    environments, distances
        Numbers of points in which SOAP and the pair functions are expanded.
    log
        gap_fit's output.
    """

    energies: int
    forces: int
    virials: int
    environments: int
    distances: int
    log: str


def fit(
    frames: Sequence[Atoms],
    isolated: Sequence[Atoms],
    hyperparameters: Hyperparameters,
    *,
    soap: SoapOptions,
    kernel: CovarianceOptions,
    options: GapOptions,
    output: str | Path,
    memory: int | None = None,
    tell: Callable[[str], object] = lambda _: None,
) -> Fit:
    """Fit energies, forces and virials, and write one self-contained file that QUIP and LAMMPS load.

    Parameters
    ----------
    frames
        Labelled structures: ``info`` with ``REF_energy`` (eV) and, if there is one, ``REF_virial`` (nine numbers or
        3 x 3, eV), ``arrays`` with ``REF_forces`` (eV/angstrom).
    isolated
        One frame of one atom for every element, with ``REF_energy``.
    hyperparameters
        Scales, length and noise, found for the same ``soap``, ``kernel`` and ``options``.
    soap, kernel, options
        The model.
    output
        The potential to write (gp.xml).
    memory
        MiB that this process and gap_fit may use together; None for any.
    tell
        Receives a sentence on the points and the predicted cost before gap_fit starts.

    Raises
    ------
    InputError
        If labels or isolated atoms are missing, the hyperparameters belong to another model, gap_fit is not installed,
        or it needs more than ``memory``.
    ProgramError
        If gap_fit fails or does not use all the data.
    """
    if not frames:
        raise InputError("labels: the design has no labelled structure; a model needs at least one.")
    hyperparameters.check(soap=soap, kernel=kernel, options=options)
    program = find_gap_fit()
    boxes = boxed(isolated, cutoff=max(soap.r_cut, kernel.pair.r_cut))
    data = [*boxes, *map(_training_frame, frames)]
    energies_above_atoms(data, boxes)  # gap_fit reports missing data less clearly
    expected = {
        "energies": len(data),
        "forces": 3 * sum(len(atoms) for atoms in frames),
        "virials": 6 * sum("REF_virial" in atoms.info for atoms in frames),
    }
    seen = environments(data, soap=soap, kernel=kernel, transition=options.soap_transition)
    model = model_of(hyperparameters, soap=soap, kernel=kernel, options=options)
    basis = expand(seen, model, options.sparse)
    work = Work.of(data, soap, seen, labels=sum(expected.values()))
    points = Points.of(basis)
    tell(
        f"{len(frames)} structures of {sum(map(len, frames))} atoms: {sum(points.environments.values())} of"
        f" {distinct_environments(seen)} distinct environments are points; gap_fit takes about"
        f" {work.seconds(points):.0f} s and {work.megabytes(points)} MiB"
    )
    work.require(memory, points)
    text, log = potential(
        program,
        data,
        terms(basis, model),
        expected,
        energy=max(hyperparameters.noise, options.sigma.energy_floor),
        force=options.sigma.force,
        virial=options.sigma.virial,
        jitter=options.sparse.jitter,
    )
    write_text(output, text)
    return Fit(**expected, environments=sum(points.environments.values()), distances=points.distances, log=log)


def _training_frame(atoms: Atoms) -> Atoms:
    """Return a copy with only the labels, as gap_fit reads them.

    ASE writes a 3 x 3 array as JSON, which gap_fit ignores silently, but gap_fit understands nine numbers. The
    config_type keeps gap_fit from taking a primitive cell of one atom for an isolated atom.
    """
    from ase import Atoms

    formula = atoms.get_chemical_formula()
    missing = [key for key in ("REF_energy",) if key not in atoms.info]
    missing += [key for key in ("REF_forces",) if key not in atoms.arrays]
    if missing:
        raise InputError(f"labels: {formula} has no {', '.join(missing)}; label the design again.")
    copy = Atoms(numbers=atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    copy.info = {
        "REF_energy": float(atoms.info["REF_energy"]),
        "config_type": "design",
    }
    if "REF_virial" in atoms.info:  # labels made elsewhere may have none
        virial = np.asarray(atoms.info["REF_virial"], dtype=float)
        if virial.size != 9:
            raise InputError(f"labels: REF_virial of {formula} has {virial.size} numbers; give nine, or 3 x 3.")
        virial = virial.reshape(3, 3)
        copy.info["REF_virial"] = (0.5 * (virial + virial.T)).ravel()
    copy.arrays["REF_forces"] = np.asarray(atoms.arrays["REF_forces"], dtype=float)
    return copy
