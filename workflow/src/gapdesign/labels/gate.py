"""Checks that keep unfit structures from engines, and unfit labels from models."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from gapdesign.cells import vacuum
from gapdesign.config.options import Options
from gapdesign.samplers.shared.constraints import closest_pair, least_volumes, too_close
from gapdesign.structures import pack

if TYPE_CHECKING:
    from ase import Atoms

    from gapdesign.engines.base import Label


VACUUM = 8.0
"""Gap, in angstrom, that keeps a slab or cluster from its images in an engine that repeats everything."""


class LimitOptions(Options):
    """Limits on the shape of cells that are worth a calculation."""

    min_angle: float = Field(
        10.0,
        ge=0,
        lt=90,
        description="Smallest angle, in degrees, between a cell vector and the plane of the others: 90 for a box,"
        " 55 for the primitive cells of cubic crystals, 0 for a flat cell. Flatter cells need"
        " disproportionately many k-points and plane waves.",
    )
    max_aspect: float = Field(
        30.0, ge=1, description="Largest ratio of the lengths of two cell vectors along which the structure repeats."
    )


def refuse_structure(atoms: Atoms, min_fraction: float, limits: LimitOptions | None = None) -> str | None:
    """Return the reason why a structure must not reach an engine, or None if it may.

    Parameters
    ----------
    atoms
        The structure; images along periodic directions count as neighbours.
    min_fraction
        Smallest allowed distance between two atoms, as a fraction of the sum of their covalent radii.
    limits
        Allowed shapes of the cell; by default those of :class:`LimitOptions`.

    Returns
    -------
    str or None
        One sentence, if there are no atoms, a number is not finite, the cell has no volume or is too flat or too long,
        or two atoms are too close.
    """
    if len(atoms) == 0:
        return "The structure has no atoms."
    if not (np.isfinite(atoms.positions).all() and np.isfinite(atoms.cell.array).all()):
        return "A position or a cell vector is not finite."
    volume = abs(np.linalg.det(atoms.cell.array))
    if not volume > 0:
        return f"The volume of the cell is {volume:g} cubic angstrom and must be positive."
    return _refuse_distances(atoms, min_fraction, volume) or _refuse_shape(
        atoms.cell.array[atoms.pbc], limits or LimitOptions()
    )


def refuse_vacuum(atoms: Atoms, engine: str) -> str | None:
    """Return why a slab, wire or cluster must not reach an engine that repeats everything, or None if it may."""
    gap = vacuum(atoms)
    if gap >= VACUUM:
        return None
    repeats = " ".join("T" if periodic else "F" for periodic in atoms.pbc)
    return (
        f"The engine {engine} repeats every structure, and this one (pbc {repeats}) is {max(gap, 0):.3g} angstrom from"
        f" its images; give it {VACUUM:g} or more of vacuum, or set pbc to T T T if it is meant as bulk."
    )


def _refuse_distances(atoms: Atoms, min_fraction: float, volume: float) -> str | None:
    """Return why the constraint on candidates refuses a structure, or None; see :func:`too_close`."""
    alone = pack([atoms])
    if min_fraction == 0 or not too_close(alone, min_fraction)[0]:
        return None
    (least,) = least_volumes(alone, min_fraction)
    if atoms.pbc.all() and volume < least:
        return (
            f"The volume of the cell, {volume:.3g} cubic angstrom, is too small for {len(atoms)} atoms at"
            f" distances of {min_fraction:g} of the sum of the covalent radii: at least {least:.3g}."
        )
    pair = closest_pair(atoms, min_fraction)
    symbols = "-".join(sorted(atoms.symbols[index] for index in (pair.first, pair.second)))
    return (
        f"Two atoms ({symbols}) are {pair.distance:.3f} angstrom apart, {pair.share:.3f} of the sum of their covalent"
        f" radii; the least allowed is {min_fraction:g}."
    )


def _refuse_shape(vectors: np.ndarray, limits: LimitOptions) -> str | None:
    """Return why the vectors (m, 3) along which a structure repeats are refused, or None."""
    if len(vectors) < 2:
        return None
    lengths = np.linalg.norm(vectors, axis=1)
    # Row i of the inverse is normal to the plane of the others; its length is one over the height above that plane.
    heights = 1 / np.linalg.norm(np.linalg.pinv(vectors, rcond=0).T, axis=1)
    angle = np.degrees(np.arcsin(np.minimum(heights / lengths, 1))).min()
    if angle < limits.min_angle:
        return (
            f"A cell vector is at {angle:.3g} degrees to the plane of the others;"
            f" the least allowed is {limits.min_angle:g} (labels.limits.min_angle)."
        )
    aspect = lengths.max() / lengths.min()
    if aspect > limits.max_aspect:
        return (
            f"The longest cell vector is {aspect:.3g} times the shortest;"
            f" the most allowed is {limits.max_aspect:g} (labels.limits.max_aspect)."
        )
    return None


def refuse_cost(core_hours: float, most: float | None) -> str | None:
    """Return why a label that costs ``core_hours`` must not be computed, or None if it may or there is no limit."""
    if most is None or core_hours <= most:
        return None
    return (
        f"The label would cost about {core_hours:.3g} core hours; the most allowed is {most:g} (labels.max_core_hours)."
    )


def refuse_label(atoms: Atoms, label: Label) -> str | None:
    """Return the reason why a label of ``atoms`` must not be kept, or None if it may.

    Returns
    -------
    str or None
        One sentence, if energy, forces or the virial, if there is one, have the wrong shape or are not finite.
    """
    expected = {"energy": (), "forces": (len(atoms), 3), "virial": (3, 3)}
    for name, shape in expected.items():
        if name == "virial" and label.virial is None:
            continue
        values = np.asarray(getattr(label, name), dtype=float)
        if values.shape != shape:
            return f"The engine returned {name} of shape {values.shape} instead of {shape}."
        if not np.isfinite(values).all():
            return f"The engine returned a value of {name} that is not finite."
    return None
