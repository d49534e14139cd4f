"""Choose by what labels teach: 500 of 100,000 cells of one or two atoms, and 200 of 5,000 cells of 54 atoms.

    python benchmarks/information.py            # both; --scale 0.1 for a tenth of both
    python benchmarks/information.py --atoms 54

Cells are strained, and those of 54 atoms displaced, at random; rows are those of QUIP's SOAP. What is printed are CPU
seconds of one thread: of the rows, of the choice, and of its verification; the candidates that were scored, in units
of the pool and of what the plain greedy choice would score; and the memory that the choice used beyond the start.
"""

import argparse
import resource
import shutil
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk

from gapdesign.descriptors import Descriptor, environments_of
from gapdesign.descriptors.covariance import Covariance
from gapdesign.descriptors.kernel import KernelOptions
from gapdesign.descriptors.options import DescriptorOptions
from gapdesign.files import write_array
from gapdesign.methods import METHODS, Task
from gapdesign.rows.functions import RowFunctions
from gapdesign.rows.pool import RowPool, write_rows
from gapdesign.shards import FeaturePool, cut
from gapdesign.structures import Batch, pack

FOLDER = Path("results/benchmarks/information")
SOAP = DescriptorOptions(backend="quippy", soap={"r_cut": 5.0, "n_max": 8, "l_max": 6})
KERNEL = KernelOptions(pair={"scale": 0.0})
SHARD = 250


def cells(atoms: int, start: int, stop: int) -> Batch:
    """Strained cells: hexagonal ones of two atoms and cubic ones of one in turn, or displaced ones of 54."""
    found = []
    for number in range(start, stop):
        rng = np.random.default_rng([atoms, number])
        base = bulk("Zr", "hcp", a=3.23, c=5.15) if atoms == 54 or number % 2 else bulk("Zr", "bcc", a=3.57)
        own: Atoms = base * (3, 3, 3) if atoms == 54 else base
        strain = rng.uniform(-0.1, 0.1, (3, 3))
        own.set_cell(own.cell.array @ (np.eye(3) + (strain + strain.T) / 2), scale_atoms=True)
        if atoms == 54:
            own.positions += rng.uniform(0.0, 0.2) * rng.standard_normal((54, 3))
        found.append(own)
    return pack(found)


def shard(atoms: int, start: int, stop: int) -> float:
    """Write features and rows of a shard, and return the CPU seconds of the rows."""
    batch, describe = cells(atoms, start, stop), Descriptor(SOAP, None, [40])
    write_array(FOLDER / f"features/{start}-{stop}.npy", describe.features(batch))
    functions, began = RowFunctions.read(FOLDER / "functions.npz"), time.process_time()
    write_rows(FOLDER / f"rows/{start}-{stop}.npz", [functions.rows(describe, batch, k) for k in range(len(batch))])
    return time.process_time() - began


def measure(atoms: int, size: int, budget: int, points: int) -> None:
    """Make a pool, choose from it and verify the design."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    describe = Descriptor(SOAP, None, [40])
    sample = cells(atoms, 0, min(size, 5000 // (27 if atoms == 54 else 1)))
    found = [environments_of(describe._environments, sample, k) for k in range(len(sample))]
    RowFunctions.chosen(found, [40], KERNEL.soap.zeta, points).write(FOLDER / "functions.npz")
    ranges = cut(size, SHARD)
    with ProcessPoolExecutor(2) as executor:
        seconds = sum(executor.map(shard, [atoms] * len(ranges), *zip(*ranges, strict=True)))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    pool = FeaturePool(sorted((FOLDER / "features").glob("*.npy")))
    rows = RowPool(sorted((FOLDER / "rows").glob("*.npz")))
    task = Task(
        pool=pool,
        covariance=Covariance(describe.layout, KERNEL),
        mean=pool.rows([0])[0],
        budget=budget,
        rows=rows,
        scale=KERNEL.soap.scale,
    )
    method, began = METHODS["information"], time.process_time()
    design = method.select(task)
    chosen = time.process_time()
    assert method.first_wrong_rank(task, design) is None
    verified = time.process_time()
    memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    size_of_rows = sum(path.stat().st_size for path in (FOLDER / "rows").glob("*.npz")) / 2**30
    print(
        f"{budget} of {size} cells, {rows.dimension} functions: rows {seconds:.0f} s ({size_of_rows:.1f} GiB), choice"
        f" {chosen - began:.0f} s, verified in {verified - chosen:.0f} s, {memory:.0f} MiB; {design.passes} times the"
        f" pool scored, {budget / design.passes:.0f} times less than plainly",
        flush=True,
    )


def main() -> None:
    """Measure one pool or both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--atoms", type=int, choices=(2, 54), help="only cells of so many atoms")
    parser.add_argument("--scale", type=float, default=1.0, help="part of the pool and of the design (%(default)s)")
    parser.add_argument("--points", type=int, default=400, help="functions (%(default)s)")
    given = parser.parse_args()
    for atoms, size, budget in ((2, 100_000, 500), (54, 5_000, 200)):
        if given.atoms in (None, atoms):
            measure(atoms, int(size * given.scale), int(budget * given.scale), given.points)
    shutil.rmtree(FOLDER, ignore_errors=True)


if __name__ == "__main__":
    main()
