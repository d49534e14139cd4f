"""The files of a training: labels and settings for torchnep, and the energies of isolated atoms in the model's file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from ase.data import chemical_symbols

from gapdesign.descriptors.neuroevolution import header
from gapdesign.formats.nep import frame
from gapdesign.inputs.labels import Values

if TYPE_CHECKING:
    from ase import Atoms

    from gapdesign.models.nep.options import NepPotentialOptions

DECAY = 0.05
"""The learning rate at the last epoch, relative to the first."""

SATURATED = -30.0
"""A bias with which a neuron without weights is 1 in double precision, and its derivative 0: tanh(0 + 30)."""


def settings(options: NepPotentialOptions, elements: Sequence[int]) -> str:
    """Return torchnep's `nep.in`."""
    weights = options.weights
    lines = {
        "type": f"{len(elements)} {' '.join(chemical_symbols[z] for z in elements)}",
        "cutoff": f"{options.r_cut!r} {options.r_cut_angular!r}",
        "n_max": f"{options.n_max} {options.n_max}",
        "basis_size": f"{options.basis_size} {options.basis_size}",
        "l_max": f"{options.l_max} 1 0",
        "neuron": options.neurons,
        "lambda_e": repr(weights.energies),
        "lambda_f": repr(weights.forces),
        "lambda_v": repr(weights.virials),
        "batch": options.batch_size,
        "epoch": options.epochs,
        "early_stop": options.patience,
        "lr": repr(options.learning_rate),
        "lr_scheduler": "step",
        "scheduler_patience": 1,
        "scheduler_factor": repr(DECAY ** (1 / options.epochs)),
        "stop_lr": 0.0,
    }
    return "".join(f"{key} {value}\n" for key, value in lines.items())


def extended_xyz(
    frames: Sequence[Atoms],
    labels: Mapping[str, np.ndarray],
    chosen: Iterable[int],
    alone: Mapping[int, float],
    cutoff: float,
) -> str:
    """Return some structures with their labels as torchnep reads them.

    Parameters
    ----------
    frames
        Structures.
    labels
        Of all of them, from :func:`gapdesign.models.shared.labels.arrays`.
    chosen
        Indices of structures.
    alone
        Energies of isolated atoms by atomic number, in eV, which energies are counted from.
    cutoff
        In angstrom; cells that are not periodic are made so long that no atom has an image within it.
    """
    energies = {chemical_symbols[z]: energy for z, energy in alone.items()}
    found, stops = [], np.cumsum(labels["sizes"])
    for k in chosen:
        values = Values(
            energy=float(labels["energies"][k]),
            forces=labels["forces"][stops[k] - labels["sizes"][k] : stops[k]],
            virial=labels["virials"][k] if labels["has_virial"][k] else None,
        )
        found.append(frame(frames[k], values, energies, cutoff))
    return "".join(found)


def with_energies_of_atoms(path: Path, alone: Sequence[float]) -> str:
    """Return the text of a model whose energies are higher by one number for each atom of an element.

    The format has one shift for all elements. A neuron more for each, without weights and saturated by its bias, is 1
    whatever the features are, so its factor is a shift of that element in every program that reads the file.

    Parameters
    ----------
    path
        File of a model of the kind `nep4`.
    alone
        The energies, in eV, in the order of the model's elements.
    """
    lines, length = path.read_text(encoding="utf-8").splitlines(), header(str(path)).dimension
    first = next(n for n, line in enumerate(lines) if line.startswith("ANN")) + 1
    neurons = int(lines[first - 1].split()[1])
    found, numbers = [*lines[: first - 1], f"ANN {neurons + 1} 0"], iter(lines[first:])
    for energy in alone:
        for count, more in ((neurons * length, [0.0] * length), (neurons, [SATURATED]), (neurons, [energy])):
            found += [next(numbers) for _ in range(count)]
            found += [f"  {number!r}" for number in more]
    return "\n".join([*found, *numbers]) + "\n"
