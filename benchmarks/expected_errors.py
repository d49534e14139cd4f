"""Errors of GAPs whose expected errors maximise the likelihood of energies, or that of all labels.

    python benchmarks/expected_errors.py --config config/config.yaml --isolated results/zr-demo/labels/isolated.extxyz
        --labels results/zr-demo/labels/{OPT1,OPT2,RND1,RND2}.extxyz

Each design is fitted twice, by the least squares that gap_fit solves (models/gap/leastsquares.py), and tested on the
others, or on `--test`. Printed are the expected errors of energies (eV per atom), forces (eV/angstrom) and virials (eV
per atom); the worst 0.99 quantile of absolute errors of energies over the test sets, and the root mean square, both in
meV per atom; and the root mean square error of components of forces, in meV/angstrom, without those that symmetry holds
at zero.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from ase import Atoms

from gapdesign.config import study as config
from gapdesign.deviations import root_mean_square, tail
from gapdesign.files import read_frames
from gapdesign.models.gap.environments import boxed, energies_above_atoms, environments
from gapdesign.models.gap.evidence import labelled
from gapdesign.models.gap.expansion import Expansion, Model
from gapdesign.models.gap.optimise import optimise
from gapdesign.models.gap.points import expand, model_of
from gapdesign.models.gap.rows import LabelRows
from gapdesign.models.gap.training import training_frame
from gapdesign.models.shared import leastsquares
from gapdesign.models.shared.leastsquares import OFFSET

Parts = list[tuple[np.ndarray, np.ndarray]]

FREE = 1e-9
"""Largest part of a function in a force that symmetry holds at zero, in eV/angstrom."""


def test_frame(atoms: Atoms, energy: str, forces: str) -> Atoms:
    """Return a structure with its labels under the keys of designs."""
    copy = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    copy.info["REF_energy"], copy.arrays["REF_forces"] = atoms.info[energy], atoms.arrays[forces]
    return copy


def errors(sets: list[Parts], coefficients: np.ndarray) -> tuple[float, float, float]:
    """Return the worst quantile and the root mean square for energies, and that for forces, times a thousand."""
    energies, forces = [], []
    for parts in sets:
        off = [rows @ coefficients - labels for rows, labels in parts]
        energies.append(np.abs([one[0] / ((len(one) - OFFSET) // 3) for one in off]))
        free = [np.abs(rows[OFFSET:]).max(axis=1) > FREE for rows, _ in parts]
        forces += [one[OFFSET:][mine] for one, mine in zip(off, free, strict=True)]
    worst, typical = max(map(tail, energies)), root_mean_square(np.concatenate(energies))
    return 1000 * worst, 1000 * typical, 1000 * root_mean_square(np.concatenate(forces))


def fitted(basis: Expansion, model: Model, parts: Parts, expected: dict[str, float]) -> np.ndarray:
    """Return the coefficients of a potential."""
    training = leastsquares.weighed(parts, **expected)
    return leastsquares.coefficients(leastsquares.add(leastsquares.prior(basis.covariance(model)), training))


def main() -> None:
    """Print a line for each design, option and test set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True, type=Path, metavar="FILE", help="study (.yaml)")
    parser.add_argument("--isolated", required=True, type=Path, metavar="FILE", help="isolated atoms (.extxyz)")
    parser.add_argument("--labels", required=True, nargs="+", type=Path, metavar="FILE", help="designs (.extxyz)")
    parser.add_argument("--test", type=Path, metavar="FILE", help="labelled structures to predict (the other designs)")
    parser.add_argument("--keys", nargs=2, default=("REF_energy", "REF_forces"), help="energy and forces in the test")
    parser.add_argument("--count", type=int, help="structures of each design, from its beginning (all)")
    given = parser.parse_args()
    study, isolated = config.load(str(given.config)), read_frames(given.isolated)
    soap, kernel = study.descriptor.soap, study.kernel
    boxes = boxed(isolated, cutoff=max(soap.r_cut, kernel.pair.r_cut))
    designs = {path.stem: [*map(training_frame, read_frames(path)[: given.count])] for path in given.labels}
    sets = designs if given.test is None else {"test": [test_frame(a, *given.keys) for a in read_frames(given.test)]}
    for name, frames in designs.items():
        others = {key: own for key, own in sets.items() if key != name}
        for likelihood in ("energies", "all"):
            options = study.model.gap.model_copy(update={"likelihood": likelihood})
            settings = {"soap": soap, "kernel": kernel, "options": options}
            found = optimise(frames, isolated, **settings, rng=np.random.default_rng(0))
            if likelihood == "energies":
                model = model_of(found, **settings)
                seen = environments([*frames, *boxes], soap=soap, kernel=kernel, transition=model.transition)
                basis = expand(seen, model, options.sparse)
                rows = LabelRows(basis, model)
                training = [*labelled([*frames, *boxes], energies_above_atoms([*frames, *boxes], boxes), rows)]
                tests = [[*labelled(own, energies_above_atoms(own, boxes), rows)] for own in others.values()]
            expected = found.expected_errors(options)
            worst, energy, force = errors(tests, fitted(basis, model, training, expected))
            stated = " ".join(f"{value:7.4f}" for value in expected.values())
            print(f"{name:6s} {likelihood:8s} {stated} | {worst:6.1f} {energy:6.1f} {force:6.0f}", flush=True)


if __name__ == "__main__":
    main()
