"""Error and cost of a GAP by the number of its points, for a design of many-atom cells.

    python benchmarks/gap_cells.py --config config/mine.yaml --labels results/mine/labels/RND.extxyz
        --isolated results/mine/labels/isolated.extxyz --test test.extxyz --points 100 200 500 1000

Errors are those of the least-squares problem that gap_fit solves (models/gap/leastsquares.py), which needs the rows of
the labels only once for all numbers of points; the points of a smaller number are the first of a larger one. `--fit`
runs gap_fit itself as well, and prints its CPU seconds and memory beside those that were predicted.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase import Atoms

from gapdesign.config import study as config
from gapdesign.files import read_frames
from gapdesign.models.gap.costs import Points, Work
from gapdesign.models.gap.environments import boxed, environments
from gapdesign.models.gap.expansion import Expansion
from gapdesign.models.gap.fit import fit
from gapdesign.models.gap.optimise import optimise
from gapdesign.models.gap.options import SparseOptions
from gapdesign.models.gap.points import chosen, expand, model_of
from gapdesign.models.gap.rows import LabelRows
from gapdesign.models.shared import leastsquares
from gapdesign.models.shared.leastsquares import OFFSET


def bare(atoms: Atoms) -> Atoms:
    """Return the structure alone."""
    return Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)


def labels(atoms: Atoms, alone: dict[str, float], energy: str, forces: str) -> np.ndarray:
    """Return the labels in the order of rows, without a virial."""
    above = atoms.info[energy] - sum(alone[symbol] for symbol in atoms.symbols)
    return np.concatenate([[above], np.full(OFFSET - 1, np.nan), atoms.arrays[forces].ravel()])


def prefix(basis: Expansion, count: int) -> tuple[Expansion, np.ndarray]:
    """Return a basis of the first points around each element, and its columns in the whole one."""
    columns = [
        np.arange(own.start, own.stop)[: None if isinstance(key, tuple) else count] for key, own in basis.columns()
    ]
    return Expansion(basis.pairs, {z: own[:count] for z, own in basis.soap.items()}), np.concatenate(columns)


def milli(values: Sequence[np.ndarray]) -> float:
    """Return a thousand times the root mean square."""
    return 1000 * float(np.sqrt(np.mean(np.concatenate(values) ** 2)))


def main() -> None:
    """Print a row for each number of points."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True, type=Path, metavar="FILE", help="study (.yaml)")
    parser.add_argument("--labels", required=True, type=Path, metavar="FILE", help="labelled design (.extxyz)")
    parser.add_argument("--isolated", required=True, type=Path, metavar="FILE", help="isolated atoms (.extxyz)")
    parser.add_argument("--test", required=True, type=Path, metavar="FILE", help="labelled structures to predict")
    parser.add_argument("--keys", nargs=2, default=("REF_energy", "REF_forces"), help="energy and forces in the test")
    parser.add_argument("--count", type=int, help="structures of the design, from its beginning (all)")
    parser.add_argument("--points", nargs="+", type=int, default=(100, 200, 500, 1000), help="numbers of points")
    parser.add_argument("--fit", action="store_true", help="run gap_fit, too")
    given = parser.parse_args()
    study = config.load(str(given.config))
    soap, kernel, options = study.descriptor.soap, study.kernel, study.model
    frames, isolated = read_frames(given.labels)[: given.count], read_frames(given.isolated)
    parts_of_model = {"soap": soap, "kernel": kernel, "options": options}
    found = optimise(frames, isolated, **parts_of_model, rng=np.random.default_rng(0))
    model, boxes = model_of(found, **parts_of_model), boxed(isolated, cutoff=max(soap.r_cut, kernel.pair.r_cut))
    seen = environments([*boxes, *frames], soap=soap, kernel=kernel, transition=options.soap_transition)
    pairs = expand(seen, model, SparseOptions(points=1)).pairs
    whole = Expansion(pairs, {z: chosen(own.vectors, model, most=max(given.points)) for z, own in seen.soap.items()})
    rows, alone = LabelRows(whole, model), {str(atom.symbols): atom.info["REF_energy"] for atom in isolated}
    widths = {"energy": found.noise, "force": options.sigma.force, "virial": options.sigma.virial}
    training = [(rows(box), np.r_[0.0, np.full(9, np.nan)], leastsquares.sigmas(1, **widths)) for box in boxes]
    for atoms in frames:
        mine = labels(atoms, alone, "REF_energy", "REF_forces")
        training.append((rows(bare(atoms)), mine, leastsquares.sigmas(len(atoms), **widths)))
    tests = [(rows(bare(atoms)), labels(atoms, alone, *given.keys)) for atoms in read_frames(given.test)]
    work = Work.of(frames, soap, seen, labels=len(boxes) + sum(1 + 3 * len(atoms) for atoms in frames))
    print(f"{len(frames)} structures of {sum(map(len, frames))} atoms")
    for count in sorted({min(count, max(map(len, whole.soap.values()))) for count in given.points}):
        basis, columns = prefix(whole, count)
        parts = [(mine[:, columns], values, errors) for mine, values, errors in training]
        solved = leastsquares.coefficients(leastsquares.add(leastsquares.prior(basis.covariance(model)), parts))
        off = [mine[:, columns] @ solved - values for mine, values in tests]
        energies = milli([each[:1] / (len(each) - OFFSET) * 3 for each in off])
        points = Points.of(basis)
        print(
            f"{count:5d} points: {energies:6.1f} meV/atom, {milli([each[OFFSET:] for each in off]):6.1f} meV/angstrom;"
            f" predicted {work.seconds(points):5.0f} s, {work.megabytes(points)} MiB"
        )
        if given.fit:
            sparse = options.sparse.model_copy(update={"points": count})
            fitted = parts_of_model | {"options": options.model_copy(update={"sparse": sparse})}
            before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
            with tempfile.TemporaryDirectory() as folder:
                fit(frames, isolated, found, **fitted, output=Path(folder, "gp.xml"))
            used = resource.getrusage(resource.RUSAGE_CHILDREN)
            seconds = used.ru_utime - before
            print(f"       gap_fit took {seconds:.0f} s; most memory so far {used.ru_maxrss / 1024:.0f} MiB")


if __name__ == "__main__":
    main()
