"""Choose 500 of 100,000 frames of 54 atoms, by NEP89 or SOAP, with the pipeline and with a script of two libraries.

    make nep
    .venv-peers/bin/pip install nep-adapters==1.0.3 ase  # after `make bench`, which makes .venv-peers
    python benchmarks/frames.py
    python benchmarks/frames.py --backend dscribe --skip script

Frames are molybdenum, strained and displaced at random. The pipeline runs as a user runs it, in shards, on two cores;
the script reads all frames with ASE, averages the vectors of nep-adapters and takes scikit-matter's farthest points, on
one core. CPU seconds are of all processes, and memory is that of the largest one.
"""

import argparse
import subprocess
import sys
from pathlib import Path

import numpy as np
from selection import FOLDER, PEERS, ROOT, used

STUDY = """\
study: frames
seed: 1
prototypes: {{bcc: {{element: Mo, lattice: bcc, a: 3.17}}}}
pools:
  names: [A]
  size: {size}
  shard_size: 12500
  sampler: file
  file: {{path: {frames}, shuffle: false}}
  constraints: {{min_distance: 0.3}}
descriptor: {descriptor}
kernel: {{pair: {{scale: 0}}}}
budget: {budget}
designs: {{OPT: {{pool: A, method: maxmin}}}}
labels: {{engine: eam}}
"""

SCRIPT = """\
import sys

import numpy as np
from ase.io import iread
from nep_adapters import NEPCalculator
from skmatter.sample_selection import FPS

frames, model, budget = sys.argv[1:]
calculator = NEPCalculator(model)
means = [calculator.predict_descriptors([atoms]).mean(axis=0) for atoms in iread(frames, format="extxyz")]
selector = FPS(n_to_select=int(budget)).fit(np.array(means))
print(len(selector.selected_idx_))
"""


def write_frames(path: Path, size: int) -> None:
    """Write bcc cells of 54 atoms, strained by up to 5 % and displaced by up to 0.12 angstrom in the mean."""
    from ase.build import bulk

    rng = np.random.default_rng(1)
    base = bulk("Mo", "bcc", a=3.17, cubic=True) * (3, 3, 3)
    with path.open("w") as stream:
        for _ in range(size):
            atoms, strain = base.copy(), rng.uniform(-0.05, 0.05, (3, 3))
            atoms.set_cell(atoms.cell.array @ (np.eye(3) + (strain + strain.T) / 2), scale_atoms=True)
            atoms.positions += rng.uniform(0.006, 0.12) * rng.standard_normal((54, 3))
            cell = " ".join(f"{number:.8f}" for number in atoms.cell.array.ravel())
            stream.write(f'54\nLattice="{cell}" Properties=species:S:1:pos:R:3 pbc="T T T"\n')
            stream.writelines(f"Mo {x:.8f} {y:.8f} {z:.8f}\n" for x, y, z in atoms.positions)


def measure(command: list[str], name: str) -> None:
    """Run a command, and print its CPU seconds, wall seconds and memory."""
    with (FOLDER / f"frames-{name}.log").open("w") as log:
        seconds, wall, memory = used(command, f"{name}, see {log.name},", cwd=FOLDER, stdout=log, stderr=log)
    print(f"{name:12}{seconds:10.0f}{wall:10.0f}{memory:10.0f}", flush=True)


def main() -> None:
    """Make the frames unless they exist, and measure both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=100_000, help="number of frames")
    parser.add_argument("--budget", type=int, default=500, help="number to choose")
    parser.add_argument("--model", type=Path, default=ROOT / "nep89.txt", help="NEP89, from `make nep`")
    parser.add_argument("--backend", default="nep", choices=["nep", "dscribe"], help="descriptor (%(default)s)")
    parser.add_argument("--peers", type=Path, default=PEERS, help="Python of the environment of the peers")
    parser.add_argument("--skip", nargs="*", default=[], choices=["gapdesign", "script"])
    arguments = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    frames, model = FOLDER / f"molybdenum-{arguments.size}.xyz", arguments.model.resolve()
    if not frames.exists():
        write_frames(frames, arguments.size)
    print(f"{arguments.budget} of {arguments.size} frames\n{'':12}{'CPU s':>10}{'wall s':>10}{'MiB':>10}")
    if "gapdesign" not in arguments.skip:
        descriptor = f"{{backend: nep, nep: {{path: {model}}}}}" if arguments.backend == "nep" else "{backend: dscribe}"
        given = {"size": arguments.size, "frames": frames, "descriptor": descriptor, "budget": arguments.budget}
        (FOLDER / "frames.yaml").write_text(STUDY.format(**given))
        subprocess.run(["rm", "-rf", "results", ".snakemake"], cwd=FOLDER, check=True)
        run = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--cores", "2", "--nolock"]
        measure([*run, "--configfile", "frames.yaml", "--", "results/frames/designs/OPT.extxyz"], "gapdesign")
    if "script" not in arguments.skip:
        measure([str(arguments.peers), "-c", SCRIPT, str(frames), str(model), str(arguments.budget)], "script")


if __name__ == "__main__":
    main()
