"""Run GPAW on the task in a folder.

The script runs under any Python that has GPAW, serially or under MPI, and needs only ASE and GPAW. Python searches the
script's folder first, so no file there may have the name of one of their modules.

``python run_gpaw.py FOLDER`` reads ``task.json`` there and writes ``result.json`` (including what GPAW reports to have
computed, for the caller to compare) or, if there is no result, ``failure.json``. ``python run_gpaw.py --identify XC``
prints the version of GPAW and its PAW data sets as one line of JSON.
"""

import glob
import hashlib
import json
import os
import sys


def identify(xc):
    """Return GPAW's version, and the checksum and elements of the PAW data sets that it finds for a functional."""
    import gpaw

    found = {}
    for folder in gpaw.setup_paths:
        for path in sorted(glob.glob(os.path.join(str(folder), f"*.{xc}*"))):
            found.setdefault(os.path.basename(path), path)
    digest = hashlib.sha256()
    for name, path in sorted(found.items()):
        if ".basis" not in name:
            with open(path, "rb") as stream:
                digest.update(f"{name} {hashlib.sha256(stream.read()).hexdigest()}\n".encode())
    elements = sorted({name.split(".")[0] for name in found})
    return {"gpaw": gpaw.__version__, "datasets": digest.hexdigest(), "elements": elements}


def compute(task, folder):
    """Compute one structure; all values are in eV and angstrom, the stress with ASE's sign."""
    from ase import Atoms
    from ase.units import Hartree
    from gpaw import GPAW, fftw

    # By default GPAW times plans and takes the fastest, and a different plan gives different last digits.
    fftw.FFTWPlans._overwrite_flags = fftw.ESTIMATE
    atoms = Atoms(task["numbers"], positions=task["positions"], cell=task["cell"], pbc=task["pbc"])
    atoms.calc = calculator = GPAW(txt=os.path.join(folder, "gpaw.txt"), **task["parameters"])
    # Forces and stress are derivatives of the free energy.
    energy = atoms.get_potential_energy(force_consistent=True)
    return {
        "energy": float(energy),
        "forces": atoms.get_forces().tolist(),
        "stress": atoms.get_stress(voigt=False).tolist(),
        "numbers": calculator.atoms.numbers.tolist(),
        "positions": calculator.atoms.positions.tolist(),
        "cell": calculator.atoms.cell.array.tolist(),
        "cutoff": float(calculator.wfs.pd.ecut * Hartree),
        "points": calculator.get_ibz_k_points().tolist(),
        "weights": calculator.get_k_point_weights().tolist(),
    }


def main():
    """Carry out the command line; only the first MPI process writes."""
    from gpaw.mpi import world

    if sys.argv[1] == "--identify":
        answer = identify(sys.argv[2])
        if world.rank == 0:
            print(json.dumps(answer))
        return
    folder = sys.argv[1]
    with open(os.path.join(folder, "task.json"), encoding="utf-8") as stream:
        task = json.load(stream)
    from gpaw import ConvergenceError

    try:
        name, result = "result.json", compute(task, folder)
    except ConvergenceError as error:
        name, result = "failure.json", f"{type(error).__name__}: {error}"
    if world.rank == 0:
        temporary = os.path.join(folder, f".{name}")
        with open(temporary, "w", encoding="utf-8") as stream:
            json.dump(result, stream)
        os.replace(temporary, os.path.join(folder, name))


if __name__ == "__main__":
    main()
