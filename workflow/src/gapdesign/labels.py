"""The labelling stage: frames of designs -> the same frames with reference energy, forces and virial.

Labels are plain ``info`` and ``arrays`` of the frames, never an ASE calculator, which would write them a
second time under other names:

=================== ========================================================================
``REF_energy``      total energy, in eV
``REF_virial``      nine numbers, row by row, in eV: minus the stress times the volume
``REF_forces``      array of shape (n, 3), in eV/angstrom
=================== ========================================================================
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from gapdesign.engines.base import Engine, Label
from gapdesign.errors import InputError
from gapdesign.gate import refuse_label, refuse_structure
from gapdesign.store import LabelStore, label_key, structure_key

FAILURE_COLUMNS = ("design", "rank", "pool", "candidate", "engine", "reason")
"""Columns of ``labels/failed.csv``."""

ISOLATED_BOX = 20.0
"""Edge, in angstrom, of the periodic cube around an isolated atom: beyond twice the reach of the potentials
that are fitted here, and periodic because plane-wave programs have nothing else."""


class _NoLabelError(Exception):
    """One structure gets no label; the message is the reason, on one line."""


def label_frames(
    frames: Sequence[Atoms],
    engine: Engine,
    store: LabelStore,
    *,
    design: str,
    min_fraction: float,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[list[Atoms], list[dict[str, Any]]]:
    """Label structures, from the store if it has them, else by the engine.

    Parameters
    ----------
    frames
        Members of a design, with ``pool``, ``candidate`` and ``rank`` in their info.
    engine
        Who computes labels that the store does not have.
    store
        Where labels are kept.
    design
        Name of the design, for the rows of failures.
    min_fraction
        See :func:`gapdesign.gate.refuse_structure`.
    progress
        Called with the number of frames done and their total after each.

    Returns
    -------
    labelled : list of Atoms
        The frames that got a label, in order, with their info and the label.
    failures : list of dict
        A row of :data:`FAILURE_COLUMNS` for each of the others: refused before or after the engine ran, or
        whatever exception the engine raised.

    Raises
    ------
    InputError
        If a label is missing and the engine's ``check`` finds that it cannot compute any.
    """
    labelled, failures = [], []
    for done, atoms in enumerate(frames, start=1):
        try:
            if reason := refuse_structure(atoms, min_fraction):
                raise _NoLabelError(reason)
            labelled.append(_with_label(atoms, _obtain(atoms, engine, store)))
        except _NoLabelError as error:
            origin = {name: atoms.info.get(name) for name in ("rank", "pool", "candidate")}
            failures.append({"design": design, **origin, "engine": engine.name, "reason": str(error)})
        if progress:
            progress(done, len(frames))
    return labelled, failures


def isolated_atoms(elements: Iterable[str], engine: Engine, store: LabelStore) -> list[Atoms]:
    """Give one frame an element: a single atom amid a periodic cube of :data:`ISOLATED_BOX`.

    Returns
    -------
    list of Atoms
        With ``REF_energy``, in eV, and ``config_type=isolated_atom``; an atom has no forces or virial to fit.

    Raises
    ------
    InputError
        If an engine gives no energy for one of them, without which nothing can be fitted.
    """
    frames = []
    for element in elements:
        atoms = Atoms(element, positions=[[ISOLATED_BOX / 2] * 3], cell=[ISOLATED_BOX] * 3, pbc=True)
        try:
            energy = _obtain(atoms, engine, store).energy
        except _NoLabelError as error:
            raise InputError(
                f"labels.engine: {engine.name} gave no energy for an isolated atom of {element}, which every"
                f" model needs: {error}"
            ) from error
        atoms.info.update(REF_energy=energy, config_type="isolated_atom")
        frames.append(atoms)
    return frames


def owned(designs: Mapping[str, Sequence[Atoms]], design: str, first: int, last: int) -> list[int]:
    """Give the ranks in [first, last) of a design that it has to label itself.

    A structure belongs to the first rank of the first design that holds it, so that it is computed once.

    Parameters
    ----------
    designs
        The frames of every design, as they are to be labelled, in the order of the configuration.
    design
        Which of them.
    first, last
        Range of ranks; what is beyond the end of the design is left out.
    """
    names = list(designs)
    held = {structure_key(atoms) for name in names[: names.index(design)] for atoms in designs[name]}
    held.update(structure_key(atoms) for atoms in designs[design][:first])
    ranks = []
    for rank, atoms in enumerate(designs[design][first:last], start=first):
        key = structure_key(atoms)
        if key not in held:
            ranks.append(rank)
            held.add(key)
    return ranks


def collect(frames: Sequence[Atoms], labelled: Iterable[Atoms], *, design: str) -> list[Atoms]:
    """Put the labels of all batches to the frames of a design.

    Parameters
    ----------
    frames
        The design, in order of rank.
    labelled
        Frames from :func:`label_frames`, of any design and in any order.
    design
        Name of the design, which becomes ``config_type``.

    Returns
    -------
    list of Atoms
        The frames that have a label, in order of rank, with the info they have in this design.
    """
    labels = {structure_key(atoms): _label_of(atoms) for atoms in labelled}
    collected = []
    for atoms in frames:
        if label := labels.get(structure_key(atoms)):
            collected.append(_with_label(atoms, label))
            collected[-1].info["config_type"] = design
    return collected


def _obtain(atoms: Atoms, engine: Engine, store: LabelStore) -> Label:
    # The engine sees what the key covers and nothing else: no magnetic moments or info that change a label.
    bare = _bare(atoms)
    key = label_key(bare, engine)
    label = store.get(key)
    if label is None:
        engine.check()
        label = _ask(engine, bare)
        store.put(key, bare, label, engine)
    return label


def _ask(engine: Engine, atoms: Atoms) -> Label:
    try:
        with tempfile.TemporaryDirectory() as folder:
            label = engine.label(atoms, Path(folder))
    except Exception as error:
        message = " ".join(str(error).split())
        plain = isinstance(error, ValueError) and message
        raise _NoLabelError(message if plain else f"{type(error).__name__}: {message}") from error
    if reason := refuse_label(atoms, label):
        raise _NoLabelError(reason)
    return label


def _bare(atoms: Atoms) -> Atoms:
    return Atoms(atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc)


def _with_label(atoms: Atoms, label: Label) -> Atoms:
    frame = _bare(atoms)
    frame.info.update(atoms.info)
    # ASE writes 3 x 3 arrays and lists as JSON, which gap_fit overlooks; a flat array becomes plain numbers.
    frame.info.update(REF_energy=label.energy, REF_virial=np.ravel(label.virial).astype(float))
    frame.set_array("REF_forces", label.forces, float, (3,))
    return frame


def _label_of(atoms: Atoms) -> Label:
    virial = np.reshape(atoms.info["REF_virial"], (3, 3))
    return Label(float(atoms.info["REF_energy"]), atoms.arrays["REF_forces"], virial)
