"""Hyperparameters by the likelihood of all labels, and coefficients by least squares."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gapdesign.errors import InputError
from gapdesign.models.ace.costs import megabytes
from gapdesign.models.ace.evidence import IRREGULAR, Evidence, maximise, products
from gapdesign.models.ace.lammps import write_yace
from gapdesign.models.ace.predict import evaluator
from gapdesign.models.ace.program import new_basis, write_model
from gapdesign.models.ace.rows import isolated_energies, labels, rows
from gapdesign.models.shared import leastsquares
from gapdesign.models.shared.leastsquares import OFFSET
from gapdesign.voigt import VOIGT

if TYPE_CHECKING:
    from ase import Atoms

    from gapdesign.models.ace.options import AcePotentialOptions


def hyperparameters(
    frames: Sequence[Atoms],
    isolated: Sequence[Atoms],
    *,
    options: AcePotentialOptions,
    species: Sequence[int],
    tell: Callable[[str], object],
) -> dict[str, Any]:
    """Find the noises of energies, forces and virials, and the prior, at which the labels are most likely.

    Returns
    -------
    dict
        ``noise``, ``noise_force`` and ``noise_virial`` (None without such labels; the second also where symmetry makes
        all forces zero), ``prior`` and ``smoothness``, ``log_evidence`` there, ``starts``, ``evaluations``,
        ``at_bound``, numbers of ``labels``, and ``basis``, the settings that they belong to.

    Raises
    ------
    InputError
        If labels or isolated atoms are missing, or ace-jax is.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="blas"):
        basis = new_basis(options, species)
        parts = products(rows(basis, frames, isolated), basis.size)
        evidence = Evidence(parts, basis.roughness)
        found = maximise(evidence, options.bounds, options.starts, tell)
    if found is None:
        raise InputError(IRREGULAR)
    values = {name: found.values.get(name) for name in ("noise", "noise_force", "noise_virial", "prior", "smoothness")}
    tell(", ".join(f"{name} {value:.4g}" for name, value in values.items() if value is not None))
    if found.at_bound:
        tell(f"at a bound, not determined by the data: {', '.join(found.at_bound)}")
    return {
        **values,
        "log_evidence": found.log_evidence,
        "starts": found.starts,
        "evaluations": evidence.evaluations,
        "at_bound": found.at_bound,
        "labels": {name: part.count for name, part in parts.items()},
        "basis": _settings(options, species),
    }


def _settings(options: AcePotentialOptions, species: Sequence[int]) -> dict[str, Any]:
    """Return what decides the functions of a model."""
    return {**options.model_dump(include={"order", "degree", "r_cut"}), "species": list(species)}


def fit(
    frames: Sequence[Atoms],
    isolated: Sequence[Atoms],
    found: Mapping[str, Any],
    outputs: Sequence[Path],
    *,
    options: AcePotentialOptions,
    species: Sequence[int],
    memory: int | None,
    tell: Callable[[str], object],
) -> None:
    """Fit the coefficients, and write the model for ASE and for LAMMPS.

    Raises
    ------
    InputError
        If labels or isolated atoms are missing, the hyperparameters belong to another basis, ace-jax is missing, or the
        fit needs more than ``memory``.
    """
    from threadpoolctl import threadpool_limits

    settings = _settings(options, species)
    if found.get("basis") != settings:
        raise InputError(
            f"hyperparameters.json: found for the basis {found.get('basis')}, but the configuration has {settings}; run"
            " the stage again."
        )
    with threadpool_limits(1, user_api="blas"):
        basis = new_basis(options, species)
        needed = megabytes(basis.size, max(map(len, frames), default=0))
        tell(f"{len(frames)} structures of {sum(map(len, frames))} atoms, {basis.size} coefficients: {needed} MiB")
        if memory is not None and needed > memory:
            raise InputError(
                f"models.ace: this fit needs {needed} MiB and may use {memory}; add `--set-resources"
                f" models_fit:mem_mb={-(-needed // 100) * 100}` (models_fit_ace beside other kinds), or lower degree."
            )
        precision = (basis.roughness ** found["smoothness"] / found["prior"]) ** 2
        widths = {key: found[name] or 1.0 for key, name in NOISES.items()}
        parts = (
            (part.values, part.labels, leastsquares.sigmas(part.atoms, **widths))
            for part in rows(basis, frames, isolated)
        )
        factor = leastsquares.add(leastsquares.prior(np.diag(precision)), parts)
        coefficients = leastsquares.coefficients(factor)
        alone = isolated_energies(isolated, basis.species)
        model, for_lammps = outputs
        write_model(model, basis, coefficients, alone)
        write_yace(for_lammps, model)
        tell(_own_errors(model, frames, alone, species))


NOISES = {"energy": "noise", "force": "noise_force", "virial": "noise_virial"}
"""Hyperparameters that are expected errors of labels."""


def _own_errors(model: Path, frames: Sequence[Atoms], alone: np.ndarray, species: Sequence[int]) -> str:
    """Return a sentence on the root mean square errors of the model on what it was fitted to."""
    evaluate, errors = evaluator(model), {"energies": [], "forces": [], "virials": []}
    for atoms in frames:
        label, own = evaluate(atoms), labels(atoms, alone, species)
        energy = label.energy - alone[np.searchsorted(species, atoms.numbers)].sum()
        errors["energies"].append([(energy - own[0]) / len(atoms)])
        errors["forces"].append(label.forces.ravel() - own[OFFSET:])
        if label.virial is not None and np.isfinite(own[1]):
            virial = [label.virial[place] for place in VOIGT]
            errors["virials"].append((virial - own[1:OFFSET]) / len(atoms))
    units = {"energies": "meV/atom", "forces": "meV/angstrom", "virials": "meV/atom"}
    return "root mean square errors of its own fit: " + ", ".join(
        f"{kind} {1000 * np.sqrt(np.mean(np.concatenate(values) ** 2)):.2f} {units[kind]}"
        for kind, values in errors.items()
        if values
    )
