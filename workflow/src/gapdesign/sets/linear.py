"""A linear model of energies, forces and virials for a set in memory: the replay's, with fewer functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.linalg import block_diag

from gapdesign.files import write_array
from gapdesign.inputs.isolated import regressed
from gapdesign.inputs.labels import Labelled
from gapdesign.models.gap.linear import Factor, Sigmas
from gapdesign.models.shared import leastsquares
from gapdesign.progress import Pace
from gapdesign.replay.labels import LabelledRows, Labels, row

POINTS = 200
"""SOAP vectors that potentials are expanded in, all elements together."""

LEAST_POINTS = 60
"""The same for one element."""

SAMPLE = 2000
"""Environments per element that these are chosen from."""

PER_LENGTH = 2.0
"""Distances on the grid of the pair function per length of its kernel."""

CONSTANT = 10.0
"""Scale of the constant of each element, in eV, which is fitted with everything else."""

SIGMAS = Sigmas(energy=1e-3, force=0.05, virial=0.05)
"""Expected errors, those of a study."""

_SHARD = 50


def rows_in(
    folder: Path,
    labelled: Sequence[Labelled],
    description: Mapping[str, Mapping[str, Any]],
    seed: int,
    progress: Callable[[str], None],
) -> tuple[LabelledRows, Factor]:
    """Write the rows of some structures to files, and return them with their labels and the factor without labels.

    Parameters
    ----------
    description
        Blocks `descriptor` and `kernel` of a configuration; the radius of SOAP is that of the potentials.
    """
    from gapdesign.descriptors.kernel import KernelOptions
    from gapdesign.descriptors.soap import SoapOptions
    from gapdesign.models.gap.basis import choose
    from gapdesign.models.gap.expansion import Model
    from gapdesign.models.gap.options import GapOptions
    from gapdesign.models.gap.rows import LabelRows
    from gapdesign.streams import stream

    structures = [each.atoms for each in labelled]
    elements = sorted({int(z) for atoms in structures for z in atoms.numbers})
    given, defaults = SoapOptions(**description["descriptor"]["soap"]), GapOptions()
    soap = given.model_copy(update={"n_max": 6, "l_max": 4})
    pair = KernelOptions().pair.model_copy(update={"r_cut": soap.r_cut})
    model = Model(
        soap=soap,
        kernel=KernelOptions().model_copy(update={"pair": pair}),
        transition=defaults.soap_transition,
        jitter=1e-8,
    )
    basis = choose(
        lambda: structures,
        elements,
        model,
        points=max(LEAST_POINTS, POINTS // len(elements)),
        sample=SAMPLE,
        per_length=PER_LENGTH,
        rng=np.random.Generator(stream(f"{seed}/worth/points")),
    )
    rows, shards, pace = LabelRows(basis, model), [], Pace()
    for start in range(0, len(structures), _SHARD):
        blocks = []
        for number, atoms in enumerate(structures[start : start + _SHARD], start):
            own = rows(atoms)
            constants = np.zeros((len(own), len(elements)))
            constants[0] = [(atoms.numbers == z).sum() for z in elements]
            blocks.append(np.hstack([own, constants]))
            if pace.is_due():
                progress(f"{number + 1} of {len(structures)} frames described for the model")
        shards.append(folder / f"{start}-{start + len(blocks)}.npy")
        write_array(shards[-1], np.concatenate(blocks))
    covariance = block_diag(basis.covariance(model), CONSTANT**2 * np.eye(len(elements)))
    return LabelledRows(shards, _labels(labelled)), Factor(leastsquares.prior(covariance), SIGMAS)


def _labels(labelled: Sequence[Labelled]) -> Labels:
    """Return labels, energies above sums over the elements that only make numbers small: constants are fitted."""
    symbols = sorted({symbol for each in labelled for symbol in each.atoms.symbols})
    mean = float(np.mean([each.values.energy / len(each.atoms) for each in labelled]))
    alone = regressed(labelled) or dict.fromkeys(symbols, mean)
    return Labels(
        np.array([len(each.atoms) for each in labelled], np.int64),
        np.concatenate([row(each.values, each.atoms, alone) for each in labelled]),
        np.array([each.group for each in labelled], dtype=str),
    )
