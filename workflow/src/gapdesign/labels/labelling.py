"""The labelling stage: frames of designs -> the same frames with reference energy, forces and virial.

Labels are plain ``info`` and ``arrays`` of the frames, never an ASE calculator, which would write them again
under other names:

=================== ========================================================================
``REF_energy``      total energy, in eV
``REF_virial``      nine numbers, row by row, in eV: minus the stress times the volume; absent where labels made
                    elsewhere have none
``REF_forces``      array of shape (n, 3), in eV/angstrom
=================== ========================================================================

A structure belongs to one job: the batch of the first design that holds it or, if an earlier design of its pool
holds it in reserve, the last job of a design, :func:`complete`. These last jobs run one after another, so no two jobs
compute the same label.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from ase import Atoms

from gapdesign.engines.base import Label
from gapdesign.errors import InputError
from gapdesign.labels.failures import Allowance
from gapdesign.labels.identity import structure_key
from gapdesign.labels.labeller import Labeller, NoLabelError, bare
from gapdesign.methods.designs import CORE_HOURS, LEFT
from gapdesign.methods.shared.costs import affordable


def label_frames(
    frames: Sequence[Atoms],
    labeller: Labeller,
    *,
    design: str,
    allowance: Allowance,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[list[Atoms], list[dict[str, Any]]]:
    """Label structures of a design.

    Parameters
    ----------
    frames
        Members of a design, with ``pool``, ``candidate`` and ``rank`` in their info.
    labeller
        Source of the labels.
    design
        Name of the design, for the rows of failures.
    allowance
        Number that may fail.
    progress
        Called after each frame with the number of frames done and their total.

    Returns
    -------
    labelled : list of Atoms
        The frames that got a label, in order, with their info and the label.
    failures : list of dict
        A row with :data:`gapdesign.labels.failures.COLUMNS` for each of the others.

    Raises
    ------
    ProgramError
        If more fail than the allowance permits, or so many of this batch that chance does not explain it.
    InputError, OSError, MemoryError
        If the engine cannot run; see :meth:`Labeller.label`.
    """
    labelled, failures = [], []
    for done, atoms in enumerate(frames, start=1):
        try:
            labelled.append(_with_label(atoms, labeller.label(atoms, _place(design, atoms))))
        except NoLabelError as error:
            failures.append(_row(design, atoms, labeller.engine.name, error))
            allowance.spend(failures[-1], atoms, tried=done)
        if progress:
            progress(done, len(frames))
    return labelled, failures


def isolated_atoms(elements: Iterable[str], labeller: Labeller) -> list[Atoms]:
    """Return one frame per element: a single atom in the middle of a periodic cube of the engine's size.

    Returns
    -------
    list of Atoms
        With ``REF_energy``, in eV, and ``config_type=isolated_atom``; an atom has no forces or virial to fit.

    Raises
    ------
    InputError
        If the engine returns no energy for one of them, without which nothing can be fitted.
    """
    frames = []
    for element in elements:
        atoms = isolated_atom(element, labeller.engine.isolated_box)
        try:
            energy = labeller.label(atoms, f"isolated/{element}", isolated=True).energy
        except NoLabelError as error:
            raise InputError(
                f"labels.engine: {labeller.engine.name} returned no energy for an isolated atom of {element}, which"
                f" every model needs: {error}"
            ) from error
        atoms.info.update(REF_energy=energy, config_type="isolated_atom")
        frames.append(atoms)
    return frames


def isolated_atom(element: str, edge: float) -> Atoms:
    """Return a single atom in the middle of a cube, which is periodic because plane-wave programs need that."""
    return Atoms(element, positions=[[edge / 2] * 3], cell=[edge] * 3, pbc=True)


def owned(
    designs: Mapping[str, Sequence[Atoms]],
    design: str,
    first: int,
    last: int,
    *,
    reserves: Iterable[Sequence[Atoms]] = (),
) -> list[int]:
    """Return the ranks in [first, last) of a design that its batches label.

    A structure belongs to the first rank of the first design that holds it, so that it is computed once.

    Parameters
    ----------
    designs
        The frames of every design that are to be labelled, in the order of the configuration.
    design
        Name of the design.
    first, last
        Range of ranks; those beyond the end of the design are left out.
    reserves
        Structures that earlier designs of the same pool hold in reserve. A job of theirs may label them at the same
        time, so they are left to the last job of this design, which runs after those.
    """
    names = list(designs)
    held = {structure_key(atoms) for name in names[: names.index(design)] for atoms in designs[name]}
    held.update(structure_key(atoms) for reserve in reserves for atoms in reserve)
    held.update(structure_key(atoms) for atoms in designs[design][:first])
    ranks = []
    for rank, atoms in enumerate(designs[design][first:last], start=first):
        key = structure_key(atoms)
        if key not in held:
            ranks.append(rank)
            held.add(key)
    return ranks


def complete(
    frames: Sequence[Atoms],
    reserve: Sequence[Atoms],
    labeller: Labeller,
    *,
    design: str,
    labelled: Iterable[Atoms],
    failed: Iterable[tuple[Atoms, Mapping[str, Any]]],
    allowance: Allowance,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[list[Atoms], list[dict[str, Any]]]:
    """Add the labels of all batches to the frames of a design, and replace those without one from the reserve.

    Where a budget of core-hours ended the design, the frames carry what each label costs and what was left. The labels
    that the design ends up with never cost more than the budget: what a structure without a label was to cost is free
    again, and the next rank whose label fits takes its place; others are passed over.

    Parameters
    ----------
    frames, reserve
        The design, and the ranks that follow it.
    labeller
        Source of labels for the members of the reserve that are needed, and for structures that :func:`owned` left to
        this job.
    design
        Name of the design, which becomes ``config_type``.
    labelled
        Frames with labels, of any design and in any order.
    failed
        Structures without a label, each with its row: a structure that failed for one design fails for all.
    allowance
        Number that may fail.
    progress
        Called after each member of the reserve with the number of structures labelled and the size of the design.

    Returns
    -------
    completed : list of Atoms
        As many frames as the design has, if the reserve is large enough, in order of rank.
    failures : list of dict
        A row for each structure without a label, of the design and of the reserve as far as it was needed.

    Raises
    ------
    ProgramError, InputError, OSError, MemoryError
        See :func:`label_frames`.
    """
    labels = {structure_key(atoms): _label_of(atoms) for atoms in labelled}
    refused = {structure_key(atoms): row for atoms, row in failed}
    left = frames[-1].info.get(LEFT) if frames else None
    completed: list[Atoms] = []
    failures: list[dict[str, Any]] = []
    for place, atoms in enumerate([*frames, *reserve]):
        if len(completed) == len(frames):
            break
        cost, is_reserve = atoms.info.get(CORE_HOURS, 0.0), place >= len(frames)
        if is_reserve and left is not None and not affordable(cost, 0.0, left):
            continue
        key = structure_key(atoms)
        try:
            if key in refused:
                row = refused[key]
                raise NoLabelError(row["reason"], row["attempts"], row["directory"])
            label = labels.get(key) or labeller.label(atoms, _place(design, atoms))
            completed.append(_with_label(atoms, label))
            completed[-1].info["config_type"] = design
            if is_reserve and left is not None:
                left -= cost
        except NoLabelError as error:
            failures.append(_row(design, atoms, labeller.engine.name, error))
            allowance.spend(failures[-1], atoms)
            if not is_reserve and left is not None:
                left += cost
        if progress and is_reserve:
            progress(len(completed), len(frames))
    return completed, failures


def _place(design: str, atoms: Atoms) -> str:
    return f"{design}/{atoms.info['rank']}"


def _row(design: str, atoms: Atoms, engine: str, error: NoLabelError) -> dict[str, Any]:
    origin = {name: atoms.info.get(name) for name in ("rank", "pool", "candidate")}
    outcome = {"reason": str(error), "attempts": error.attempts, "directory": error.directory}
    return {"design": design, **origin, "engine": engine, **outcome}


def _with_label(atoms: Atoms, label: Label) -> Atoms:
    frame = bare(atoms)
    frame.info.update(atoms.info)
    # ASE writes 3 x 3 arrays and lists as JSON, which gap_fit overlooks; a flat array becomes plain numbers.
    frame.info["REF_energy"] = label.energy
    if label.virial is not None:
        frame.info["REF_virial"] = np.ravel(label.virial).astype(float)
    frame.set_array("REF_forces", label.forces, float, (3,))
    return frame


def _label_of(atoms: Atoms) -> Label:
    virial = np.reshape(atoms.info["REF_virial"], (3, 3)) if "REF_virial" in atoms.info else None
    return Label(float(atoms.info["REF_energy"]), atoms.arrays["REF_forces"], virial)
