"""Fetch public labelled sets that come inside source packages on PyPI, and write each as extended XYZ.

    python config/studies/methods-on-sets/fetch.py FOLDER [--sets NAME ...] [--archives FOLDER]

A package is downloaded by pip, its archive checked against a SHA-256 sum and never installed. Each set becomes
`<name>.extxyz` with `dft_energy` (eV), `dft_force` (eV/A) and `config_type`, beside `<name>.md`, which names its
source. Which frames are drawn depends on geometry and on the seed in this file, never on labels.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from ase import Atoms
from matscipy.neighbours import neighbour_list

from gapdesign.errors import InputError
from gapdesign.files import sha256, write_frames, write_text

SEED = 2025
# Frames that collide have forces of up to 200 eV/A and energies of up to 40 eV an atom, which would decide every mean.
CLOSEST_MGO = 1.5
CLOSEST_SI, DENSEST_SI, DILUTEST_SI = 2.0, 10.0, 40.0


@dataclass(frozen=True)
class Package:
    """A source package on PyPI, as pip names it."""

    name: str
    version: str
    archive: str
    sha256: str
    licence: str
    home: str


@dataclass(frozen=True)
class FetchedSet:
    """A set: its package, where in the archive it lies, and how its frames are read and drawn."""

    package: Package
    read: Callable[[tarfile.TarFile], list[Atoms]]
    per_group: int
    about: str


PYPOLYMLP = Package(
    "pypolymlp",
    "0.22.1",
    "pypolymlp-0.22.1.tar.gz",
    "aabbb301d700d251832cc64d434f332e1660cfa3f4c4969327b646cdfe479c29",
    "BSD-3-Clause",
    "https://github.com/sekocha/pypolymlp",
)
PYXTAL_FF = Package(
    "pyxtal_ff",
    "0.2.3",
    "pyxtal_ff-0.2.3.tar.gz",
    "2a123fb02f4dcc88949fd53eba52558a6049e92b95f23d7afb315f4a2875cfb0",
    "MIT",
    "https://github.com/MaterSim/PyXtal_FF",
)


def _numbers(block: ElementTree.Element) -> np.ndarray:
    return np.array([row.text.split() for row in block.iterfind("v")], dtype=float)


def _frame(cell: np.ndarray, scaled: np.ndarray, symbols: list[str], energy: float, forces: np.ndarray) -> Atoms:
    atoms = Atoms(symbols, cell=cell, scaled_positions=scaled, pbc=True)
    if np.linalg.det(cell) < 0:
        # A left-handed cell is the same crystal with two of its vectors exchanged.
        atoms.set_cell(atoms.cell[[1, 0, 2]])
    atoms.info["dft_energy"] = float(energy)
    atoms.arrays["dft_force"] = np.asarray(forces, dtype=float)
    return atoms


def _vasp_frames(archive: tarfile.TarFile, parts: tuple[str, ...]) -> Iterator[Atoms]:
    """Frames of pypolymlp's shortened vasprun.xml files, whose energy is that which belongs to the forces."""
    starts = [f"pypolymlp-0.22.1/tests/test_mlp_dev_api/{part}/" for part in parts]
    # One pass in the archive's own order: going back within a compressed archive reads it from its beginning.
    texts = {
        member.name: archive.extractfile(member).read()
        for member in archive
        if member.isfile() and member.name.startswith(tuple(starts))
    }
    for start in starts:
        for name in sorted(name for name in texts if name.startswith(start)):
            root = ElementTree.fromstring(texts[name])
            structure = root.find(".//structure[@name='finalpos']")
            yield _frame(
                _numbers(structure.find("crystal/varray[@name='basis']")),
                _numbers(structure.find("varray[@name='positions']")),
                [row.find("c").text.strip() for row in root.iterfind(".//array[@name='atoms']/set/rc")],
                float(root.find("calculation/energy/i[@name='e_fr_energy']").text),
                _numbers(root.find("calculation/varray[@name='forces']")),
            )


def closest(atoms: Atoms) -> float:
    """Return the smallest distance between two atoms, in angstrom; infinite if none is below 5."""
    return neighbour_list("d", atoms, 5.0).min(initial=np.inf)


def silver_gold(archive: tarfile.TarFile) -> list[Atoms]:
    """Silver, gold and ordered alloys in disordered displacements, cells of at most 64 atoms."""
    folder = "data-vasp-Ag-Au/vaspruns"
    parts = tuple(
        f"{folder}/{use}-{kind}" for kind in ("standard-Ag1", "standard-Au1", "disp1") for use in ("train", "test")
    )
    frames = [atoms for atoms in _vasp_frames(archive, parts) if len(atoms) <= 64]
    for atoms in frames:
        gold = np.mean(np.array(atoms.get_chemical_symbols()) == "Au")
        names = {0.0: "silver", 1.0: "gold"}
        atoms.info["config_type"] = names.get(gold, "alloy_below_60_gold" if gold < 0.6 else "alloy_above_60_gold")
    return frames


def magnesia(archive: tarfile.TarFile) -> list[Atoms]:
    """Rock-salt MgO, 64 atoms: small displacements, and large ones that leave all atoms 1.5 A apart."""
    frames = []
    for number, kind in (("1", "small_displacements"), ("2", "large_displacements")):
        parts = tuple(f"data-vasp-MgO/vaspruns/{use}{number}" for use in ("train", "test"))
        for atoms in _vasp_frames(archive, parts):
            if closest(atoms) > CLOSEST_MGO:
                atoms.info["config_type"] = kind
                frames.append(atoms)
    return frames


def strontium_titanate(archive: tarfile.TarFile) -> list[Atoms]:
    """Cubic SrTiO3, 40 atoms, in three groups by the shortest distance between atoms."""
    folder = "data-vasp-SrTiO3/vaspruns"
    frames = list(_vasp_frames(archive, (f"{folder}/train1", f"{folder}/test1")))
    # The ideal Ti-O distance is half the edge of a cell of five atoms; displacements shorten the shortest one.
    shortening = [1 - closest(atoms) / (0.5 * (5 * atoms.get_volume() / len(atoms)) ** (1 / 3)) for atoms in frames]
    edges = np.quantile(shortening, (1 / 3, 2 / 3))
    for atoms, group in zip(frames, np.searchsorted(edges, shortening), strict=True):
        atoms.info["config_type"] = ("small", "medium", "large")[group] + "_displacements"
    return frames


def random_silicon(archive: tarfile.TarFile) -> list[Atoms]:
    """Random symmetric silicon crystals of at least 4 atoms, neither dense nor dilute, grouped by their file."""
    frames = []
    for stem in ("Si4", "Si6", "Si8", "Si16"):
        name = f"pyxtal_ff-0.2.3/pyxtal_ff/datasets/Si/PyXtal/{stem}.json"
        seen = set()
        for entry in json.load(archive.extractfile(name)):
            cell, scaled = np.array(entry["lattice"]["data"]), np.array(entry["coords"]["data"])
            atoms = _frame(cell, scaled, entry["elements"], entry["energy"], np.array(entry["force"]))
            # The last steps of a relaxation repeat.
            key = (len(atoms), entry["energy"])
            sound = closest(atoms) > CLOSEST_SI and DENSEST_SI < atoms.get_volume() / len(atoms) < DILUTEST_SI
            if key in seen or not sound or len(atoms) < 4:
                continue
            seen.add(key)
            atoms.info["config_type"] = f"random_{stem.lower()}"
            frames.append(atoms)
    return frames


SETS = {
    "ag-au": FetchedSet(
        PYPOLYMLP,
        silver_gold,
        150,
        "Silver, gold and their ordered alloys, displaced at random; 16 to 64 atoms; "
        "tests/test_mlp_dev_api/data-vasp-Ag-Au; A. Seko, J. Appl. Phys. 133, 011101 (2023).",
    ),
    "mgo": FetchedSet(
        PYPOLYMLP,
        magnesia,
        270,
        "Rock-salt MgO, 64 atoms, random displacements; of the large ones only frames whose atoms are more than "
        f"{CLOSEST_MGO} A apart; tests/test_mlp_dev_api/data-vasp-MgO.",
    ),
    "srtio3": FetchedSet(
        PYPOLYMLP,
        strontium_titanate,
        100,
        "Cubic SrTiO3, 40 atoms, random displacements, in three groups by how much the shortest distance is shortened; "
        "tests/test_mlp_dev_api/data-vasp-SrTiO3.",
    ),
    "si-random": FetchedSet(
        PYXTAL_FF,
        random_silicon,
        150,
        f"Random symmetric silicon crystals of 4 to 16 atoms, more than {CLOSEST_SI} A apart, {DENSEST_SI} to "
        f"{DILUTEST_SI} A^3 an atom; "
        "pyxtal_ff/datasets/Si/PyXtal; Yanxon, Zagaceta, Wood and Zhu, J. Chem. Phys. 153, 054118 (2020).",
    ),
}


def archive_of(package: Package, archives: Path) -> Path:
    """Return the package's archive, downloaded by pip unless it is in `archives`; raise InputError for another sum."""
    path = archives / package.archive
    if not path.exists():
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--no-binary", package.name, "--dest", str(archives), f"{package.name}=={package.version}"]
        subprocess.run(command, check=True)
    found = sha256(path)
    if found != package.sha256:
        raise InputError(
            f"{path}: has the SHA-256 sum {found}, but {package.sha256} is that of {package.archive} on PyPI"
        )
    return path


def drawn(frames: list[Atoms], per_group: int) -> list[Atoms]:
    """Draw at most `per_group` frames of each group, kept in the order of the source."""
    groups = np.array([atoms.info["config_type"] for atoms in frames])
    keep = []
    for number, group in zip(count(), dict.fromkeys(groups)):
        places = np.flatnonzero(groups == group)
        size = min(per_group, len(places))
        keep.extend(np.random.default_rng([SEED, number]).choice(places, size, replace=False))
    return [frames[place] for place in sorted(keep)]


def check(name: str, frames: list[Atoms]) -> None:
    """Raise InputError if labels cannot be right: forces that do not sum to zero, or energies of another kind."""
    for place, atoms in enumerate(frames):
        if np.abs(atoms.arrays["dft_force"].sum(axis=0)).max() > 0.05:
            raise InputError(f"{name}: the forces of frame {place} do not sum to zero")
    elements = sorted({symbol for atoms in frames for symbol in atoms.get_chemical_symbols()})
    counts = np.array([[atoms.get_chemical_symbols().count(element) for element in elements] for atoms in frames])
    energies = np.array([atoms.info["dft_energy"] for atoms in frames])
    sizes = counts.sum(axis=1)
    excess = (energies - counts @ np.linalg.lstsq(counts, energies)[0]) / sizes
    if np.abs(excess).max() > 3:
        raise InputError(
            f"{name}: the energy of frame {np.abs(excess).argmax()} is more than 3 eV an atom off the others"
        )


def note(name: str, chosen: FetchedSet, frames: list[Atoms]) -> str:
    """Return the text that tells where a set comes from."""
    package = chosen.package
    groups = [atoms.info["config_type"] for atoms in frames]
    counts = ", ".join(f"{group} {groups.count(group)}" for group in dict.fromkeys(groups))
    return (
        f"# {name}\n\n{chosen.about}\n\n"
        f"- Frames: {len(frames)} ({sum(map(len, frames))} atoms): {counts}.\n"
        f"- Source: {package.name} {package.version} on PyPI, {package.home}.\n"
        f"- Archive: {package.archive}, SHA-256 {package.sha256}.\n"
        f"- Licence: {package.licence}.\n"
        f"- Made by: `python config/studies/methods-on-sets/fetch.py FOLDER --sets {name}`, seed {SEED}.\n"
        "- Labels by VASP; the archive does not name the functional. Units: `dft_energy` eV, `dft_force` eV/A.\n"
        "- The energies of pypolymlp's sets are free energies, to which the forces belong.\n"
    )


def main(folder: Path, names: list[str], archives: Path | None) -> None:
    """Write the sets named into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as own:
        for name in names:
            chosen = SETS[name]
            with tarfile.open(archive_of(chosen.package, archives or Path(own))) as archive:
                frames = drawn(chosen.read(archive), chosen.per_group)
            check(name, frames)
            write_frames(folder / f"{name}.extxyz", frames)
            write_text(folder / f"{name}.md", note(name, chosen, frames))
            print(f"{name}: {len(frames)} frames, {sum(map(len, frames))} atoms")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sets", nargs="+", choices=sorted(SETS), default=sorted(SETS), metavar="NAME")
    parser.add_argument("--archives", type=Path, help="a folder that holds archives which pip has downloaded before")
    arguments = parser.parse_args()
    main(arguments.folder, arguments.sets, arguments.archives)
