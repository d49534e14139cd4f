"""A potential fitted to a labelled design by gap_fit: it uses all data, and repeats to the byte (BR 3.2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gapdesign.errors import InputError
from gapdesign.files import write_text
from gapdesign.models.gap.costs import Points, Work
from gapdesign.models.gap.environments import boxed, energies_above_atoms, environments
from gapdesign.models.gap.points import distinct_environments, expand, model_of
from gapdesign.models.gap.program import find_gap_fit, potential, terms
from gapdesign.models.gap.training import training_frame

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
    data = [*boxes, *map(training_frame, frames)]
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
        **hyperparameters.expected_errors(options),
        jitter=options.sparse.jitter,
    )
    write_text(output, text)
    return Fit(**expected, environments=sum(points.environments.values()), distances=points.distances, log=log)
