"""A potential from a labelled design, by gap_fit: every datum used, every run the same bytes (BR 3.2)."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gapdesign.descriptors.quip import pair_string, soap_string
from gapdesign.errors import InputError, ProgramError
from gapdesign.files import write_text
from gapdesign.gap.environments import Environments, boxed, energies_above_atoms, environments, merge

if TYPE_CHECKING:
    from ase import Atoms

    from gapdesign.descriptors.options import KernelOptions, SoapOptions
    from gapdesign.gap.hyperparameters import Hyperparameters
    from gapdesign.gap.options import ModelOptions

LABEL = "GAP_gapdesign"
"""Label of every potential written here, as LAMMPS's ``xml_label`` wants it; gap_fit's own holds the time."""

_DATA, _MODEL = "data.xyz", "gp.xml"
_TAIL = 20
_FOUND = re.compile(r"Number of target (energies|forces|virials) .*found:\s*(\d+)")


@dataclass(frozen=True)
class Fit:
    """What gap_fit did.

    Attributes
    ----------
    energies, forces, virials
        Numbers that were fitted; components count one by one, three an atom and six a structure.
    environments, distances
        Points that SOAP and the pair functions are expanded in.
    log
        gap_fit's output.
    """

    energies: int
    forces: int
    virials: int
    environments: int
    distances: int
    log: str


def fit(
    frames: Sequence[Atoms],
    isolated: Sequence[Atoms],
    hyperparameters: Hyperparameters,
    *,
    soap: SoapOptions,
    kernel: KernelOptions,
    options: ModelOptions,
    output: str | Path,
) -> Fit:
    """Fit energies, forces and virials and write one self-contained file that QUIP and LAMMPS load.

    Parameters
    ----------
    frames
        Labelled structures: ``info`` with ``REF_energy`` (eV) and ``REF_virial`` (nine numbers or 3 x 3, eV),
        ``arrays`` with ``REF_forces`` (eV/angstrom).
    isolated
        One frame of one atom for every element, with ``REF_energy``.
    hyperparameters
        Scales, length and noise, found for the same ``soap``, ``kernel`` and ``options``.
    soap, kernel, options
        The model.
    output
        The potential to write (gp.xml).

    Raises
    ------
    InputError
        If labels or isolated atoms are missing, the hyperparameters are another model's, or there is no
        gap_fit.
    ProgramError
        If gap_fit fails or uses fewer data than it was given.
    """
    hyperparameters.check(soap=soap, kernel=kernel, options=options)
    program = find_gap_fit()
    boxes = boxed(isolated, cutoff=max(soap.r_cut, kernel.pair.r_cut))
    data = [*boxes, *map(_training_frame, frames)]
    energies_above_atoms(data, boxes)  # gap_fit says less clearly what is missing
    expected = {
        "energies": len(data),
        "forces": 3 * sum(len(atoms) for atoms in frames),
        "virials": 6 * len(frames),
    }
    seen = environments(data, soap=soap, kernel=kernel, transition=options.soap_transition)
    with tempfile.TemporaryDirectory(prefix="gapdesign-fit-") as name:
        folder = Path(name)
        write_data(folder / _DATA, data)
        terms, points = _terms(seen, hyperparameters, soap=soap, kernel=kernel, options=options, folder=folder)
        log = run_gap_fit(program, _arguments(terms, hyperparameters, options), folder=folder)
        check_counts(log, expected)
        write_text(output, timeless((folder / _MODEL).read_text(encoding="utf-8")))
    return Fit(**expected, environments=points["soap"], distances=points["pair"], log=log)


def find_gap_fit() -> Path:
    """Find the program that comes with quippy: beside this Python, or on the path.

    Raises
    ------
    InputError
        If there is none.
    """
    beside = Path(sys.executable).parent
    found = shutil.which("gap_fit", path=f"{beside}{os.pathsep}{os.environ.get('PATH', '')}")
    if found is None:
        raise InputError(f"gap_fit: neither in {beside} nor on PATH; install what carries it: pip install quippy-ase.")
    return Path(found)


def _training_frame(atoms: Atoms) -> Atoms:
    """A copy with the labels alone, as gap_fit reads them.

    ASE writes a 3 x 3 array as JSON, which gap_fit passes over without a word: nine numbers it understands.
    The config_type says that a primitive cell of one atom is not an isolated atom.
    """
    from ase import Atoms

    formula = atoms.get_chemical_formula()
    missing = [key for key in ("REF_energy", "REF_virial") if key not in atoms.info]
    missing += [key for key in ("REF_forces",) if key not in atoms.arrays]
    if missing:
        raise InputError(f"labels: {formula} has no {', '.join(missing)}; label the design again.")
    virial = np.asarray(atoms.info["REF_virial"], dtype=float)
    if virial.size != 9:
        raise InputError(f"labels: REF_virial of {formula} has {virial.size} numbers; give nine, or 3 x 3.")
    virial = virial.reshape(3, 3)
    copy = Atoms(numbers=atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    copy.info = {
        "REF_energy": float(atoms.info["REF_energy"]),
        "REF_virial": (0.5 * (virial + virial.T)).ravel(),
        "config_type": "design",
    }
    copy.arrays["REF_forces"] = np.asarray(atoms.arrays["REF_forces"], dtype=float)
    return copy


def write_data(path: Path, data: Sequence[Atoms]) -> None:
    """Write structures with their labels for gap_fit."""
    from ase.io import write

    write(path, data, format="extxyz")


def _terms(
    seen: Environments,
    hyperparameters: Hyperparameters,
    *,
    soap: SoapOptions,
    kernel: KernelOptions,
    options: ModelOptions,
    folder: Path,
) -> tuple[str, dict[str, int]]:
    """Write the points of every term into ``folder``; give gap_fit's terms and the numbers of points.

    Points from files, term by term, are the one way that works for all data: ``sparse_method=NONE`` keeps
    duplicates, which make the covariance singular, and ``UNIQ`` aborts.
    """
    terms, points = [], {"pair": 0, "soap": 0}
    step = hyperparameters.pair_length / options.sparse.points_per_length
    for pair, block in seen.pairs.items():
        low = block.distances.min()
        grid = np.linspace(low, kernel.pair.r_cut, 1 + max(1, int(np.ceil((kernel.pair.r_cut - low) / step))))
        name = f"pair-{pair[0]}-{pair[1]}.txt"
        write_points(folder / name, grid[:, None])
        points["pair"] += len(grid)
        terms.append(
            f"{pair_string(kernel.pair, elements=pair)} covariance_type=ard_se"
            f" theta_uniform={hyperparameters.pair_length!r} delta={hyperparameters.pair_scale!r}"
            f" add_species=F sparse_method=FILE sparse_file={name} n_sparse={len(grid)}"
        )
    for centre, block in seen.soap.items():
        vectors, _ = merge(block.vectors)
        name = f"soap-{centre}.txt"
        write_points(folder / name, vectors)
        points["soap"] += len(vectors)
        string = soap_string(soap, centre=centre, elements=list(seen.soap), transition=options.soap_transition)
        # Inside the braces around all terms gap_fit strips one pair of those around a list.
        terms.append(
            f"{string.replace('{', '{{').replace('}', '}}')} covariance_type=dot_product"
            f" zeta={kernel.soap.zeta} delta={hyperparameters.soap_scale!r}"
            f" add_species=F sparse_method=FILE sparse_file={name} n_sparse={len(vectors)}"
        )
    return " : ".join(terms), points


def write_points(path: Path, points: np.ndarray) -> None:
    """Write points, shape (m, d), for gap_fit: a number a line, before each point its cutoff value."""
    np.savetxt(path, np.insert(points, 0, 1.0, axis=1).reshape(-1), fmt="%.17g")


def _arguments(terms: str, hyperparameters: Hyperparameters, options: ModelOptions) -> list[str]:
    sigma = options.sigma
    energy = max(hyperparameters.noise, sigma.energy_floor)
    return [
        f"at_file={_DATA}",
        f"gp_file={_MODEL}",
        "energy_parameter_name=REF_energy",
        "force_parameter_name=REF_forces",
        "virial_parameter_name=REF_virial",
        "config_type_parameter_name=config_type",
        "e0_method=isolated",
        f"default_sigma={{{energy!r} {sigma.force!r} {sigma.virial!r} 0.0}}",
        f"sparse_jitter={options.sparse.jitter!r}",
        "do_copy_at_file=F",
        "sparse_separate_file=F",
        f"gap={{{terms}}}",
    ]


def run_gap_fit(program: Path, arguments: Sequence[str], *, folder: Path) -> str:
    """Run gap_fit in a folder and give its output without its many warnings about line breaks.

    Raises
    ------
    ProgramError
        If it fails or writes no potential; with the last lines of its output.
    """
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [str(program), *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if "FoX" not in line]
    if done.returncode != 0 or not (folder / _MODEL).exists():
        tail = "\n".join(line[:500] for line in lines[-_TAIL:])
        raise ProgramError(f"gap_fit ended with status {done.returncode}; its last lines were:\n{tail}")
    return "\n".join(lines) + "\n"


def check_counts(log: str, expected: dict[str, int]) -> None:
    """Compare the numbers of data that gap_fit says it used with those given.

    Raises
    ------
    ProgramError
        If one differs, or gap_fit says nothing of it.
    """
    used = {kind: int(number) for kind, number in _FOUND.findall(log)}
    for kind, number in expected.items():
        if used.get(kind) != number:
            raise ProgramError(f"gap_fit was given {number} {kind} and used {used.get(kind, 'an unknown number')}.")


def timeless(text: str) -> str:
    """Replace gap_fit's label, which holds the time and occurs throughout, by :data:`LABEL`."""
    stamped = re.match(r"<(GAP_[0-9_]+)>", text)
    if stamped is None:
        raise ProgramError(f"gap_fit wrote a potential that begins with {text[:60]!r}, not with its label.")
    return text.replace(stamped[1], LABEL)
