"""Frames of the user's files: every format and packing gives the same, and nothing doubtful is read in silence."""

import bz2
import gzip
import lzma
import os
import re
import tarfile
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111, molecule
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write

from gapdesign.descriptors.kernel import KernelOptions
from gapdesign.descriptors.options import DescriptorOptions
from gapdesign.errors import InputError
from gapdesign.inputs.frames import read
from gapdesign.inputs.sanity import is_isolated, mistake, reduced
from gapdesign.methods.tasks import Description, existing_set

KEY = "pools.file.path"
COPPER = bulk("Cu", "fcc", a=3.6, cubic=True)


def numbered(count: int = 3) -> list[Atoms]:
    """Strained copper, each frame with an energy and a name that looks like a number."""
    frames = []
    for number in range(count):
        atoms = COPPER.copy()
        atoms.set_cell(atoms.cell[:] * (1 + 0.01 * number), scale_atoms=True)
        atoms.info["config_type"] = "007"
        atoms.calc = SinglePointCalculator(atoms, energy=-1.5 * number, forces=np.full((4, 3), 0.25))
        frames.append(atoms)
    return frames


def extended(path: Path, frames=None) -> Path:
    write(path, numbered() if frames is None else frames, format="extxyz")
    return path


def refused(path: Path | str, key: str = KEY) -> str:
    with pytest.raises(InputError) as caught:
        list(read(path, key))
    text = str(caught.value)
    assert "\n" not in text and text.isprintable() and text.startswith(f"{key}: ")
    assert str(path) in text
    assert text.endswith(".")
    return text


@pytest.mark.parametrize("name", ["a.extxyz", "a.traj", "a.db", "a.json", "a.extxyz.gz", "a.extxyz.bz2", "a.extxyz.xz"])
def test_every_format_gives_the_same_frames_one_at_a_time(tmp_path, name):
    write(tmp_path / name, numbered())
    frames = list(read(tmp_path / name, KEY))
    assert [frame.number for frame in frames] == [0, 1, 2]
    assert str(frames[1]) == f"frame 1 of '{tmp_path / name}'"
    for frame, expected in zip(frames, numbered(), strict=True):
        np.testing.assert_allclose(frame.atoms.positions, expected.positions, atol=1e-8)
        np.testing.assert_allclose(frame.atoms.cell[:], expected.cell[:], atol=1e-8)
        assert frame.atoms.calc.results["energy"] == expected.calc.results["energy"]
        np.testing.assert_array_equal(frame.atoms.get_forces(), 0.25)


def test_names_in_extended_xyz_stay_text_and_periodicity_stays(tmp_path):
    slab = fcc111("Cu", (1, 1, 3), vacuum=6.0)
    slab.info = {"config_type": "007"}
    frame = next(read(extended(tmp_path / "a.xyz", [slab]), KEY))
    assert frame.atoms.info["config_type"] == "007"
    assert frame.atoms.pbc.tolist() == [True, True, False]


def test_program_outputs_are_read(tmp_path):
    write(tmp_path / "POSCAR", COPPER)
    write(tmp_path / "a.data", COPPER, format="lammps-data", masses=True)
    write(tmp_path / "a.cif", COPPER)
    dump = "ITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n1\nITEM: BOX BOUNDS pp pp pp\n0 3\n0 3\n0 3\n"
    (tmp_path / "a.lammpstrj").write_text(dump + "ITEM: ATOMS id element x y z\n1 Cu 0 0 0\n")
    for name in ("POSCAR", "a.data", "a.cif", "a.lammpstrj"):
        (frame,) = read(tmp_path / name, KEY)
        assert set(frame.atoms.symbols) == {"Cu"}, name


def test_a_zip_of_one_file_is_read_and_of_several_refused(tmp_path):
    extended(tmp_path / "a.extxyz")
    with ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(tmp_path / "a.extxyz", "inner/a.extxyz")
        archive.writestr("__MACOSX/a", "")
    assert len(list(read(tmp_path / "a.zip", KEY))) == 3
    with ZipFile(tmp_path / "a.zip", "a") as archive:
        archive.writestr("b.extxyz", "")
    assert "archive of 2 files" in refused(tmp_path / "a.zip")


@pytest.mark.parametrize("between", ["\n", "\n\n  \n", "\r\n"])
def test_blank_lines_between_frames_lose_none(tmp_path, between):
    extended(tmp_path / "a.extxyz", numbered(5))
    lines = (tmp_path / "a.extxyz").read_text().splitlines(keepends=True)
    parts = ["".join(lines[start : start + 6]) for start in range(0, len(lines), 6)]
    (tmp_path / "a.extxyz").write_text(between + between.join(parts) + between)
    energies = [frame.atoms.get_potential_energy() for frame in read(tmp_path / "a.extxyz", KEY)]
    assert energies == [0.0, -1.5, -3.0, -4.5, -6.0]


def test_windows_text_with_a_mark_is_read(tmp_path):
    text = extended(tmp_path / "a.extxyz").read_text()
    (tmp_path / "b.xyz").write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    assert len(list(read(tmp_path / "b.xyz", KEY))) == 3


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (lambda text: text[:-120], "frame 2 of .* ends after 3 of 4 atoms"),
        (lambda text: "999999999999" + text[1:], "frame 0 of .* ends after 16 of 999999999999 atoms"),
        (lambda text: "-3" + text[1:], "frame 0 of .* begins with “-3” where its number of atoms should be"),
        (lambda text: "0" + text[1:], "frame 0 of .* has no atoms"),
        (lambda text: text.replace("\n4\n", "\n3\n", 1), "frame 2 of .* begins with “Cu"),
        (lambda text: text.replace("Cu ", "Qq ", 1), "frame 0 of .* cannot be read"),
        (lambda text: text.replace("0.00000000", "nan", 1), "frame 0 of .* position that is not a finite number"),
        (lambda text: text.replace('Lattice="3.6 ', 'Lattice="inf ', 1), "frame 0 of .* cell that is not finite"),
        (lambda text: text.replace('Lattice="3.6 ', 'Lattice="1e300 ', 1), "frame 0 of .* beyond 100000 angstrom"),
        (lambda text: text.replace('Lattice="3.6 ', 'Lattice="0.0 ', 1), "frame 0 of .* periodic along a without"),
        (lambda text: text.replace('Lattice="3.6 ', 'Lattice="0.1 ', 1), "frame 0 of .* flat cell, 0.1 angstrom"),
    ],
)
def test_a_frame_that_is_none_is_refused_by_number(tmp_path, edit, sentence):
    path = extended(tmp_path / "a.extxyz")
    path.write_text(edit(path.read_text()))
    assert re.search(sentence, refused(path))


def test_text_in_other_encodings_is_refused_with_the_remedy(tmp_path):
    text = extended(tmp_path / "a.extxyz").read_text().replace("config_type=007", 'config_type="Gr\xf6\xdfe"', 1)
    (tmp_path / "latin.xyz").write_bytes(text.encode("latin1"))
    assert "frame 0" in (told := refused(tmp_path / "latin.xyz")) and "iconv" in told
    (tmp_path / "wide.xyz").write_bytes(text.encode("utf-16"))
    assert "UTF-16" in refused(tmp_path / "wide.xyz")


def test_readers_that_would_guess_are_refused(tmp_path):
    write(tmp_path / "POSCAR", COPPER)
    lines = (tmp_path / "POSCAR").read_text().splitlines()
    (tmp_path / "POSCAR").write_text("\n".join(["made by hand", *lines[1:5], *lines[6:]]))
    assert "does not name its elements" in refused(tmp_path / "POSCAR")
    (tmp_path / "POSCAR").write_text("\n".join(["Cu", *lines[1:5], *lines[6:]]))
    assert next(read(tmp_path / "POSCAR", KEY)).atoms.symbols.get_chemical_formula() == "Cu4"
    write(tmp_path / "a.data", COPPER, format="lammps-data")
    assert "no masses" in refused(tmp_path / "a.data")
    write(tmp_path / "b.data", COPPER, format="lammps-data", masses=True)
    (tmp_path / "b.data").write_text(re.sub(r"63\.5\d*", "1.0", (tmp_path / "b.data").read_text()))
    assert "mass 1" in refused(tmp_path / "b.data")
    dump = "ITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n1\nITEM: BOX BOUNDS pp pp pp\n0 3\n0 3\n0 3\n"
    (tmp_path / "a.lammpstrj").write_text(dump + "ITEM: ATOMS id type x y z\n1 1 0 0 0\n")
    assert "types and no elements" in refused(tmp_path / "a.lammpstrj")
    (tmp_path / "vasprun.xml").write_text('<?xml version="1.0"?><modeling><calculation>')
    assert "cut off" in refused(tmp_path / "vasprun.xml")
    (tmp_path / "a.qqq").write_text("nothing of the kind")
    assert "no format that ASE reads" in refused(tmp_path / "a.qqq")


DUMP = """ITEM: TIMESTEP
5
ITEM: NUMBER OF ATOMS
2
ITEM: BOX BOUNDS pp pp ff
0 3
0 3
0 9
ITEM: ATOMS id element x y z fx fy fz
2 Cu 1 1 1 0 0 1
1 Cu 0 0 0 0 0 -1
"""


def test_a_dump_of_lammps_has_forces_all_its_atoms_and_no_energy(tmp_path):
    (tmp_path / "a.lammpstrj").write_text(2 * DUMP)
    frames = list(read(tmp_path / "a.lammpstrj", KEY))
    assert [frame.atoms.pbc.tolist() for frame in frames] == 2 * [[True, True, False]]
    assert [set(frame.atoms.calc.results) for frame in frames] == 2 * [{"forces"}]
    for cut in (DUMP + DUMP[: DUMP.rindex("1 Cu")], DUMP[: DUMP.rindex("1 Cu")] + DUMP):
        (tmp_path / "a.lammpstrj").write_text(cut)
        assert "has 1 of 2 atoms" in refused(tmp_path / "a.lammpstrj")


CIF = """data_x
_cell_length_a 3.6
_cell_length_b 3.6
_cell_length_c 3.6
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_symmetry_space_group_name_H-M 'P 1'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_occupancy
"""


@pytest.mark.parametrize("sites", ["Cu1 Cu 0 0 0 0.6\nZr1 Zr 0 0 0 0.4\n", "Zr1 Zr 0 0 0 1\nC1 C 0.5 0.5 0.5 0.25\n"])
def test_a_site_occupied_in_part_is_refused(tmp_path, sites):
    (tmp_path / "a.cif").write_text(CIF + sites)
    assert "occupied in part" in refused(tmp_path / "a.cif", "prototypes.x.file")
    (tmp_path / "b.cif").write_text(CIF + "Zr1 Zr 0 0 0 1.0\nC1 C 0.5 0.5 0.5 1\n")
    assert len(next(read(tmp_path / "b.cif", KEY)).atoms) == 2


@pytest.mark.parametrize(
    ("formula", "right"),
    [("'Zr C'", True), ("'Zr4 C4'", True), ("ZrC", True), ("'Zr2 C'", False), ('"Zr C H"', False), ("?", True)],
)
def test_a_crystal_with_another_formula_than_it_states_is_refused(tmp_path, formula, right):
    sites = "Zr1 Zr 0 0 0 1.0\nC1 C 0.5 0.5 0.5 1\n"
    (tmp_path / "a.cif").write_text(CIF.replace("data_x\n", f"data_x\n_chemical_formula_sum {formula}\n") + sites)
    if right:
        assert len(next(read(tmp_path / "a.cif", KEY)).atoms) == 2
    else:
        assert "is CZr, and its _chemical_formula_sum is Zr" in refused(tmp_path / "a.cif")


@pytest.mark.parametrize("name", ["a@1.xyz", "-x.extxyz", "{b}.xyz", "a b'c.xyz", "dir//a.xyz", "x.txt", "@:.traj"])
def test_names_mean_nothing(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    Path("dir").mkdir()
    write(tmp_path / "plain.traj", numbered())
    path = extended(Path(name)) if not name.endswith("traj") else Path("plain.traj").rename(name)
    assert len(list(read(name, KEY))) == 3, path


def test_missing_empty_and_odd_files_are_refused(tmp_path):
    assert "no file" in refused(tmp_path / "no.xyz")
    (tmp_path / "empty.xyz").touch()
    assert "is empty" in refused(tmp_path / "empty.xyz")
    (tmp_path / "blank.xyz").write_text("\n\n")
    assert "holds no structure" in refused(tmp_path / "blank.xyz")
    assert "is a folder" in refused(tmp_path)
    os.mkfifo(tmp_path / "pipe.xyz")
    assert "no regular file" in refused(tmp_path / "pipe.xyz")
    (tmp_path / "a.xyz.gz").write_bytes(gzip.compress(b"4\n")[:-9])
    assert "cannot be unpacked" in refused(tmp_path / "a.xyz.gz")
    (tmp_path / "b.xyz.gz").write_bytes(b"4\n")
    assert "not compressed as its name says" in refused(tmp_path / "b.xyz.gz")
    (tmp_path / "OUTCAR.gz.gz").write_bytes(gzip.compress(gzip.compress(b"")))
    assert "is compressed twice" in refused(tmp_path / "OUTCAR.gz.gz")
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "blank.xyz", "blank.xyz")
    assert "archive of several files" in refused(tmp_path / "a.tar.gz")
    (tmp_path / "a.xyz").write_bytes(b"\x1b[31m\x00\n")
    assert "begins with" in refused(tmp_path / "a.xyz")


@pytest.mark.parametrize("packing", ["gz", "bz2", "xz", "zip"])
def test_a_bomb_is_not_unpacked(tmp_path, monkeypatch, packing):
    monkeypatch.setattr("gapdesign.inputs.unpacked.SMALL", 2**18)
    path, zeros = tmp_path / f"OUTCAR.{packing}", bytes(2**20)
    if packing == "zip":
        with ZipFile(path, "w", ZIP_DEFLATED) as archive:
            archive.writestr("OUTCAR", zeros)
    else:
        path.write_bytes({"gz": gzip, "bz2": bz2, "xz": lzma}[packing].compress(zeros))
    assert "grows to more than 200 times" in refused(path)


def test_isolated_atoms_are_known():
    assert is_isolated(Atoms("Cu"))
    assert is_isolated(Atoms("Cu", cell=[12] * 3, pbc=True))
    assert is_isolated(Atoms("Cu", cell=[3] * 3, pbc=True, info={"config_type": "IsolatedAtom"}))
    assert not is_isolated(bulk("Cu", "fcc", a=3.6))
    assert not is_isolated(bulk("Cs", "bcc", a=6.1))
    assert not is_isolated(molecule("H2"))


def test_a_sheared_cell_of_an_ordinary_lattice_is_a_structure():
    atoms = bulk("Zr", "hcp", a=3.232, c=5.147)
    sheared = atoms.copy()
    sheared.set_cell(np.array([[1, 0, 0], [4000, 1, 0], [-700, 300, 1]]) @ atoms.cell[:])
    assert mistake(sheared) is None
    lattice, _ = reduced(sheared.cell.array, sheared.pbc)
    np.testing.assert_allclose(np.sort(np.linalg.norm(lattice, axis=1)), [3.232, 3.232, 5.147], atol=1e-6)
    sheared.set_cell(np.diag([1, 1, 1e-3]) @ sheared.cell[:])
    assert "flat" in mistake(sheared)


def described() -> Description:
    """A descriptor of copper that takes milliseconds."""
    soap = {"r_cut": 4.0, "n_max": 2, "l_max": 1, "sigma": 0.5}
    kernel = KernelOptions(pair={"r_cut": 4.0})
    return Description(descriptor=DescriptorOptions(soap=soap), kernel=kernel, species=[29])


@pytest.mark.parametrize("between", ["", "\n\n"])
def test_an_existing_set_has_every_structure_and_no_isolated_atom(tmp_path, between):
    with (tmp_path / "there.extxyz").open("w") as stream:
        for atoms in [Atoms("Cu", info={"config_type": "isolated_atom"}), *numbered()]:
            write(stream, atoms, format="extxyz")
            stream.write(between)
    told = []
    found = existing_set([None, str(tmp_path / "there.extxyz")], described(), told.append)
    assert len(found.features) == len(found.environments) == len(found.batch) == 3
    assert told == ["describing 3 existing structures, 1 isolated atoms left out"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (b"2\nno cell\nCu 0 0 0\nCu 0 0 2.5\n", "frame 0 of .* has no cell with a volume"),
        ('1\nLattice="3 0 0 0 3 0 0 0 3" note="\xe4"\nCu 0 0 0\n'.encode("latin1"), "frame 0 of .* not text in UTF-8"),
        (b'1\nLattice="3 0 0 0 3 0 0 0 3"\nZr 0 0 0\n', "frame 0 of .* holds Zr, which no prototype"),
        (b"1\n\nCu 0 0 0\n", "holds isolated atoms only"),
        (bytes(range(256)), "frame 0 of .* begins with"),
    ],
)
def test_an_existing_set_that_cannot_be_used_is_refused_by_frame(tmp_path, text, sentence):
    (tmp_path / "there.xyz").write_bytes(text)
    with pytest.raises(InputError, match=rf"^existing: .*{sentence}") as caught:
        existing_set([str(tmp_path / "there.xyz")], described())
    assert "\n" not in str(caught.value)
