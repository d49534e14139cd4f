"""Faults that are put into a set of copper by EMT are found by one line, and none in the set itself."""

import re
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.io import write

from gapdesign import cli


def copper(number: int) -> Atoms:
    """A cell of 16 atoms with labels under the names that a study uses."""
    rng = np.random.default_rng(number)
    atoms = bulk("Cu", "fcc", a=3.6 * (1 + 0.04 * rng.uniform(-1, 1)), cubic=True) * (2, 2, 1)
    atoms.rattle(0.05 + 0.05 * rng.random(), seed=number)
    atoms.calc = EMT()
    labels = {
        "REF_energy": atoms.get_potential_energy() - 5.0 * len(atoms),
        "config_type": "hot" if number % 2 else "cold",
    }
    labels["REF_virial"] = -atoms.get_volume() * atoms.get_stress(voigt=False).ravel()
    atoms.arrays["REF_forces"] = atoms.get_forces()
    atoms.calc = None
    atoms.info = labels | {"xc_functional": "PBE", "cut_off_energy": "500 eV"}
    return atoms


def isolated(energy: float) -> Atoms:
    return Atoms("Cu", cell=[20, 20, 20], pbc=True, info={"REF_energy": energy, "config_type": "isolated_atom"})


@pytest.fixture(autouse=True)
def frames(tmp_path, monkeypatch) -> list[Atoms]:
    monkeypatch.chdir(tmp_path)
    return [isolated(-1.5), *map(copper, range(40))]


def found(frames: list[Atoms], capsys, *arguments: str) -> tuple[int, dict[str, list[str]]]:
    """Write the set, audit it, and return the exit status and the findings by what they are about."""
    write("set.xyz", frames)
    status = cli.main(["audit", "set.xyz", *arguments])
    said: dict[str, list[str]] = {}
    for line in capsys.readouterr().out.splitlines():
        if match := re.match(r"(wrong|suspicious|note): ([a-z -]*): ", line):
            said.setdefault(match[2], []).append(line)
    return status, said


def test_nothing_is_found_in_a_sound_set(frames, capsys):
    status, said = found(frames, capsys, "--strict")
    assert (status, said) == (0, {})
    page = Path("audit.html").read_text()
    assert "Nothing suspicious was found." in page
    assert page.count("<svg") == 2
    first = {name: Path(name).read_bytes() for name in ("audit.csv", "audit.html")}
    assert found(frames, capsys)[0] == 0
    assert {name: Path(name).read_bytes() for name in first} == first


def test_units_and_signs_of_single_frames_are_named(frames, capsys):
    frames[4].info["REF_energy"] /= 27.2114
    frames[6].info["REF_energy"] -= 16 * 3.5
    frames[9].info["REF_virial"] = -frames[9].info["REF_virial"]
    frames[12].arrays["REF_forces"] /= 51.4221
    frames[13].arrays["REF_forces"] *= -1
    status, said = found(frames, capsys, "--strict")
    assert status == 1
    units = "\n".join(said["units and signs"])
    assert "energy of frame 4 (hot) would fit all other labels if it were in hartree" in units
    assert "virial of frame 9 (cold) would fit all other labels if it were of the opposite sign" in units
    assert "forces of frame 12 (hot) would fit all other labels if they were in hartree/bohr" in units
    assert "forces of frame 13 (cold) would fit all other labels if they were of the opposite sign" in units
    assert all(line.startswith("wrong: ") for line in said["units and signs"])
    far = re.search(r"the energy of frame 6 \(hot\) is far .* by up to (\S+) eV per atom", "\n".join(said["energies"]))
    assert float(far[1]) == pytest.approx(-3.5, abs=0.1)


def test_structures_that_are_there_twice_are_found_and_their_energies_compared(frames, capsys):
    again = frames[5].copy()
    again.positions += 0.3
    again.wrap()
    other = frames[8].copy()
    other.info["REF_energy"] += 16 * 0.01
    _, said = found([*frames, again, other], capsys)
    assert (
        "note: duplicates: 2 structures repeat earlier ones or a supercell of one: frames 41, 42;"
        in said["duplicates"][1]
    )
    assert (
        "frame 42 (hot) repeats an earlier structure with another energy; frame 42 differs from frame 8 by 0.01"
        in (said["duplicates"][0])
    )


def test_lone_and_overlapping_atoms_are_found(frames, capsys):
    far = Atoms("Cu2", positions=[[0, 0, 0], [9, 0, 0]], cell=[18, 18, 18], pbc=True)
    near = Atoms("Cu2", positions=[[0, 0, 0], [1.2, 0, 0]], cell=[8, 8, 8], pbc=True)
    _, said = found([*frames, far, near], capsys)
    assert "2 atoms without a neighbour within 6 angstrom in frame 41;" in said["lone atoms"][0]
    assert "frame 42 has atoms nearer than half the sum of their covalent radii, down to 1.2" in said["distances"][0]
    assert "2 of 42 structures have no energy under REF_energy: frames 41, 42;" in said["unlabelled"][0]


def test_settings_that_differ_and_labels_that_are_none_are_found(frames, capsys):
    frames[3].info["xc_functional"] = "PW91"
    frames[4].info["cut_off_energy"] = "500.000 eV"
    frames[7].arrays["REF_forces"][2, 1] = np.nan
    frames.append(isolated(-2.5))
    _, said = found(frames, capsys)
    assert len(said["settings"]) == 1
    assert "xc_functional is PBE in 39, PW91 in 1 frames: frame 3" in said["settings"][0]
    assert "frame 7" in said["labels"][0]
    assert "isolated atoms of Cu have energies from -2.5 to -1.5 eV: frames 0, 41" in said["isolated atoms"][0]


def test_labels_under_other_keys_are_offered_and_read_when_named(frames, capsys):
    for atoms in frames:
        atoms.info["dft_energy"] = atoms.info.pop("REF_energy")
        atoms.arrays["dft_force"] = atoms.arrays.pop("REF_forces", np.zeros((len(atoms), 3)))
        atoms.info.pop("REF_virial", None)
    _, said = found(frames, capsys)
    assert "if they are, name them: --energy-key dft_energy --forces-key dft_force" in said["keys"][0]
    frames[20].info["dft_energy"] *= -1
    keys = ["--energy-key", "dft_energy", "--forces-key", "dft_force"]
    _, said = found(frames, capsys, *keys)
    assert ["no virial is read" in line for line in said["keys"]] == [True]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["missing.xyz"], "FILE: no file 'missing.xyz'"),
        (["set.xyz", "--energy-key", "dft_enrgy"], "--energy-key: no frame of 'set.xyz' has 'dft_enrgy'"),
        (["set.xyz", "-"], "give - alone"),
        (["set.xyz", "--output-page", "set.xyz"], "this file is read"),
    ],
)
def test_a_mistake_is_one_sentence_and_writes_nothing(frames, arguments, words, capsys):
    write("set.xyz", frames[:9])
    assert cli.main(["audit", *arguments]) == 2
    assert words in capsys.readouterr().err
    assert not Path("audit.html").exists()
