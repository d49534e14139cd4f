"""The program gap_fit: its input, its run, and a check that it used all data."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gapdesign.cells import apart
from gapdesign.errors import InputError, ProgramError

if TYPE_CHECKING:
    from ase import Atoms

    from gapdesign.models.gap.expansion import Expansion, Model

LABEL = "GAP_gapdesign"
"""Label of every potential written here, as LAMMPS's ``xml_label`` expects; gap_fit's own label contains the time."""

_DATA, _INPUT, _MODEL = "data.xyz", "fit.txt", "gp.xml"
_TAIL = 20
_FOUND = re.compile(r"Number of target (energies|forces|virials) .*found:\s*(\d+)")


@dataclass(frozen=True, eq=False)
class Term:
    """One function of a potential, with the points in which it is expanded.

    Only points from files, term by term, work for all data: ``sparse_method=NONE`` keeps
    duplicates, which make the covariance singular, and ``UNIQ`` aborts.

    Attributes
    ----------
    name
        Name of its points.
    covariance
        Descriptor and covariance, in gap_fit's syntax.
    points : (m, d)
    """

    name: str
    covariance: str
    points: np.ndarray

    @classmethod
    def of_pair(
        cls, pair: tuple[int, int], descriptor: str, distances: np.ndarray, *, length: float, scale: float
    ) -> Term:
        """Return the function of the distances between two elements, expanded at the given distances (m,)."""
        covariance = f"{descriptor} covariance_type=ard_se theta_uniform={length!r} delta={scale!r}"
        return cls(f"pair-{pair[0]}-{pair[1]}", covariance, distances[:, None])

    @classmethod
    def of_soap(cls, centre: int, descriptor: str, vectors: np.ndarray, *, zeta: int, scale: float) -> Term:
        """Return the function of the environments of an element, expanded in the given SOAP vectors (m, d)."""
        # Within the braces around all terms, gap_fit strips one pair of braces around a list.
        descriptor = descriptor.replace("{", "{{").replace("}", "}}")
        covariance = f"{descriptor} covariance_type=dot_product zeta={zeta} delta={scale!r}"
        return cls(f"soap-{centre}", covariance, vectors)

    def write(self, folder: Path) -> str:
        """Write the points, one number per line, each after its cutoff value; return gap_fit's arguments."""
        file = f"{self.name}.txt"
        np.savetxt(folder / file, np.insert(self.points, 0, 1.0, axis=1).reshape(-1), fmt="%.17g")
        return f"{self.covariance} add_species=F sparse_method=FILE sparse_file={file} n_sparse={len(self.points)}"


def terms(basis: Expansion, model: Model) -> list[Term]:
    """Return a function for each pair of elements and each element, expanded in the points of a basis."""
    pair, soap, found = model.kernel.pair, model.kernel.soap, []
    for key, _ in basis.columns():
        if isinstance(key, tuple):
            descriptor = model.pair_string(key)
            found.append(Term.of_pair(key, descriptor, basis.pairs[key], length=pair.length, scale=pair.scale))
        else:
            descriptor = model.soap_string(key, basis.elements)
            found.append(Term.of_soap(key, descriptor, basis.soap[key], zeta=soap.zeta, scale=soap.scale))
    return found


def potential(
    program: Path,
    data: Sequence[Atoms],
    terms: Sequence[Term],
    expected: Mapping[str, int],
    *,
    energy: float,
    force: float,
    virial: float,
    jitter: float,
) -> tuple[str, str]:
    """Run gap_fit; return the potential as the text of one self-contained file, and gap_fit's output.

    Parameters
    ----------
    program
        gap_fit, from :func:`find_gap_fit`.
    data
        Isolated atoms in boxes and structures, with the labels that exist: ``REF_energy`` and ``REF_virial`` (nine
        numbers) in ``info``, ``REF_forces`` in ``arrays``, and ``config_type``.
    terms
        The functions whose sum is the potential.
    expected
        Numbers of `energies`, `forces` and `virials` that gap_fit must find in the data.
    energy, force, virial
        Expected errors (`default_sigma`), in eV per atom, eV/angstrom and eV per atom.
    jitter
        Number, in eV^2, added to the diagonal of the covariance of the points.

    Raises
    ------
    ProgramError
        If gap_fit fails or does not use all the data.
    """
    with tempfile.TemporaryDirectory(prefix="gapdesign-fit-") as name:
        folder = Path(name)
        write_data(folder / _DATA, data)
        settings = [
            f"at_file={_DATA}",
            f"gp_file={_MODEL}",
            "energy_parameter_name=REF_energy",
            "force_parameter_name=REF_forces",
            "virial_parameter_name=REF_virial",
            "config_type_parameter_name=config_type",
            "e0_method=isolated",
            f"default_sigma={{{energy!r} {force!r} {virial!r} 0.0}}",
            f"sparse_jitter={jitter!r}",
            "do_copy_at_file=F",
            "sparse_separate_file=F",
            "gap={" + " :\n".join(term.write(folder) for term in terms) + "}",
        ]
        # By a file: a program's argument may have 2,550 characters, fewer than the terms of four elements. Every term
        # has a line of its own, because gap_fit reads 1,024 characters at a time and loses a space between them.
        # The empty first line becomes the space with which the potential's record of arguments begins.
        (folder / _INPUT).write_text("\n".join(["", *settings]), encoding="utf-8")
        log = run_gap_fit(program, [f"config_file={_INPUT}"], folder=folder)
        check_counts(log, expected)
        return timeless((folder / _MODEL).read_text(encoding="utf-8")), log


VACUUM = 50.0
"""Gap, in angstrom, between the images of slabs, wires and clusters: more than any cutoff."""


def find_gap_fit() -> Path:
    """Find the program that comes with quippy, beside this Python or on the path.

    Raises
    ------
    InputError
        If there is no such program.
    """
    beside = Path(sys.executable).parent
    found = shutil.which("gap_fit", path=f"{beside}{os.pathsep}{os.environ.get('PATH', '')}")
    if found is None:
        raise InputError(
            f"gap_fit: neither in {beside} nor on PATH; install the package that provides it: pip install quippy-ase."
        )
    return Path(found)


def write_data(path: Path, data: Sequence[Atoms]) -> None:
    """Write structures with their labels for gap_fit, which takes every structure for one that repeats everywhere."""
    from ase.io import write

    write(path, [apart(atoms, VACUUM) for atoms in data], format="extxyz")


def run_gap_fit(program: Path, arguments: Sequence[str], *, folder: Path) -> str:
    """Run gap_fit in a folder and return its output without its many warnings about line breaks.

    Raises
    ------
    ProgramError
        If it fails or writes no potential; the message has the last lines of its output.
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


def check_counts(log: str, expected: Mapping[str, int]) -> None:
    """Check that gap_fit reports to have used all the data that it was given.

    Raises
    ------
    ProgramError
        If a number differs, or gap_fit does not report it.
    """
    used = {kind: int(number) for kind, number in _FOUND.findall(log)}
    for kind, number in expected.items():
        if used.get(kind) != number:
            raise ProgramError(f"gap_fit was given {number} {kind} and used {used.get(kind, 'an unknown number')}.")


def timeless(text: str) -> str:
    """Replace gap_fit's label, which contains the time and occurs throughout, by :data:`LABEL`."""
    stamped = re.match(r"<(GAP_[0-9_]+)>", text)
    if stamped is None:
        raise ProgramError(f"gap_fit wrote a potential that begins with {text[:60]!r}, not with its label.")
    return text.replace(stamped[1], LABEL)
