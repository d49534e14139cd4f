"""Structures: prototypes, symmetry that survives any deformation, packed batches and what is refused."""

from dataclasses import fields

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.io import write
from pydantic import ValidationError

from gapdesign.errors import InputError
from gapdesign.prototypes import PrototypeOptions, deformation_orbits, prototypes
from gapdesign.structures import Batch, concatenate, nearest_neighbour, pack, read_batch, write_batch


def crystal(**options) -> Atoms:
    return prototypes({"mine": PrototypeOptions(**options)})[0].atoms


def refused(**options) -> str:
    with pytest.raises(InputError) as caught:
        crystal(**options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def ordered_b2() -> Atoms:
    return bulk("CuZr", "cesiumchloride", a=3.26)


def low_symmetry() -> Atoms:
    """Four equal atoms with nothing between them but the lattice."""
    places = np.array([[0.02, 0.11, 0.07], [0.43, 0.21, 0.66], [0.71, 0.57, 0.19], [0.35, 0.83, 0.41]])
    return Atoms("Zr4", scaled_positions=places, cell=[[5.0, 0.3, 0.2], [0.7, 5.6, 0.4], [0.1, 0.9, 6.1]], pbc=True)


def monoclinic_p2() -> Atoms:
    """Pairs of atoms that only a twofold axis maps on each other, which a deformation breaks."""
    places = [[0.13, 0.0, 0.22], [0.87, 0.0, 0.78], [0.29, 0.31, 0.05], [0.71, 0.31, 0.95]]
    return Atoms("Zr4", scaled_positions=places, cell=[4.9, 5.3, 6.1, 90, 104, 90], pbc=True)


def zinc_blende_supercell() -> Atoms:
    return bulk("ZrC", "zincblende", a=5.1) * (2, 1, 1)


CRYSTALS = {
    "hcp": (bulk("Zr", "hcp", a=3.232, c=5.147), [0, 0]),
    "bcc cube": (bulk("Zr", "bcc", a=3.574, cubic=True), [0, 0]),
    "diamond": (bulk("Si", "diamond", a=5.43), [0, 0]),
    "diamond cube": (bulk("Si", "diamond", a=5.43, cubic=True), [0] * 8),
    "B2": (ordered_b2(), [0, 1]),
    "rock salt": (bulk("NaCl", "rocksalt", a=5.64, cubic=True), [0, 1] * 4),
    "zinc blende doubled": (zinc_blende_supercell(), [0, 1, 0, 1]),
    "low symmetry": (low_symmetry(), [0, 1, 2, 3]),
    "twofold axis": (monoclinic_p2(), [0, 1, 2, 3]),
}


@pytest.mark.parametrize("name", CRYSTALS)
def test_orbits_of_known_crystals(name):
    atoms, expected = CRYSTALS[name]
    assert deformation_orbits(atoms).tolist() == expected


@pytest.mark.parametrize("name", CRYSTALS)
def test_orbits_are_equal_environments_under_any_deformation(name):
    """SOAP of each atom, after a random deformation gradient, is that of another if and only if of one orbit."""
    from dscribe.descriptors import SOAP

    atoms, _ = CRYSTALS[name]
    rng = np.random.default_rng(7)
    deformed = atoms.copy()
    deformed.set_cell(atoms.cell[:] @ (np.eye(3) + rng.uniform(-0.15, 0.15, (3, 3))).T, scale_atoms=True)
    soap = SOAP(species=sorted(set(atoms.symbols)), r_cut=7.0, n_max=5, l_max=5, sigma=0.4, periodic=True)
    spectra = soap.create(deformed)
    spectra /= np.linalg.norm(spectra, axis=1, keepdims=True)
    apart = np.linalg.norm(spectra[:, None] - spectra[None], axis=2)
    equal = (apart < 1e-8) & (atoms.numbers[:, None] == atoms.numbers)
    orbits = deformation_orbits(atoms)
    assert np.array_equal(orbits[:, None] == orbits, equal)


def test_orbits_do_not_depend_on_where_the_origin_and_the_cell_boundary_are():
    atoms = bulk("Si", "diamond", a=5.43, cubic=True)
    atoms.positions += [0.31, -7.2, 0.002]
    assert deformation_orbits(atoms).tolist() == [0] * 8
    atoms.wrap()
    assert deformation_orbits(atoms).tolist() == [0] * 8


def test_an_atom_out_of_place_is_an_orbit_of_its_own_unless_within_the_tolerance():
    atoms = bulk("Si", "diamond", a=5.43, cubic=True)
    atoms.positions[3] += [1e-7, 0, 0]
    assert deformation_orbits(atoms).tolist() == [0] * 8
    atoms.positions[3] += [0.01, 0, 0]
    assert len(set(deformation_orbits(atoms).tolist())) > 1


def test_prototypes_keep_order_names_and_lattice_constants():
    made = prototypes(
        {
            "z": PrototypeOptions(element="Zr", lattice="hcp", a=3.232, c=5.147),
            "a": PrototypeOptions(element="CuZr", lattice="cesiumchloride", a=3.26),
        }
    )
    assert [prototype.name for prototype in made] == ["z", "a"]
    np.testing.assert_allclose(made[0].atoms.cell.lengths(), [3.232, 3.232, 5.147])
    np.testing.assert_allclose(made[0].atoms.cell.volume, np.sqrt(3) / 2 * 3.232**2 * 5.147)
    np.testing.assert_allclose(made[0].atoms.cell.angles(), [90, 90, 120])
    assert made[1].atoms.get_chemical_symbols() == ["Cu", "Zr"]
    assert all(prototype.atoms.pbc.all() for prototype in made)
    assert [prototype.orbits.tolist() for prototype in made] == [[0, 0], [0, 1]]


@pytest.mark.parametrize("name", ["B2.cif", "POSCAR", "b2.extxyz", "b2.vasp"])
def test_a_prototype_from_a_file_is_the_crystal_in_it(tmp_path, name):
    path = tmp_path / name
    write(path, ordered_b2())
    atoms = crystal(file=str(path))
    assert sorted(atoms.get_chemical_symbols()) == ["Cu", "Zr"]
    np.testing.assert_allclose(atoms.cell.lengths(), 3.26, atol=1e-6)
    np.testing.assert_allclose(nearest_neighbour(atoms), 3.26 * np.sqrt(3) / 2, atol=1e-6)
    assert not atoms.info
    assert set(atoms.arrays) == {"numbers", "positions"}


def test_a_prototype_from_a_file_that_pymatgen_wrote(tmp_path):
    from pymatgen.core import Lattice, Structure

    structure = Structure(Lattice.cubic(3.26), ["Cu", "Zr"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    for name in ("b2.cif", "b2.json"):  # the second one only pymatgen reads
        structure.to(str(tmp_path / name))
        atoms = crystal(file=str(tmp_path / name))
        assert sorted(atoms.get_chemical_symbols()) == ["Cu", "Zr"]
        np.testing.assert_allclose(nearest_neighbour(atoms), 3.26 * np.sqrt(3) / 2, atol=1e-6)


@pytest.mark.parametrize("element", ["Zz", "zr", "X", "Zr-", "1"])
def test_a_wrong_element_is_named(element):
    assert refused(element=element, lattice="hcp", a=3.2).startswith(f"prototypes.mine.element: '{element}' is not")


@pytest.mark.parametrize(
    ("element", "lattice"), [("Zr", "hpc"), ("CuZr", "hcp"), ("Zr", "rocksalt"), ("CuZr2", "cesiumchloride")]
)
def test_a_lattice_that_cannot_be_is_named(element, lattice):
    sentence = refused(element=element, lattice=lattice, a=3.2)
    assert sentence.startswith(f"prototypes.mine.lattice: ASE cannot build '{element}' on the lattice '{lattice}'")
    assert sentence.endswith("or `file`.")


def test_files_that_cannot_be_used_are_named(tmp_path):
    assert refused(file="no/such.cif").startswith("prototypes.mine.file: no file 'no/such.cif'")
    assert refused(file=str(tmp_path)).startswith("prototypes.mine.file: no file")
    (tmp_path / "noise.cif").write_bytes(bytes(range(256)) * 4)
    assert "prototypes.mine.file: neither ASE" in refused(file=str(tmp_path / "noise.cif"))
    (tmp_path / "empty.cif").write_text("")
    assert "prototypes.mine.file" in refused(file=str(tmp_path / "empty.cif"))


@pytest.mark.parametrize("cell", [None, [3, 3, 0], [[3, 0, 0], [0, 3, 0], [3, 3, 0]]])
def test_a_structure_without_volume_is_no_prototype(tmp_path, cell):
    write(tmp_path / "molecule.xyz", Atoms("H2", positions=[[0, 0, 0], [0, 0, 0.74]], cell=cell))
    assert refused(file=str(tmp_path / "molecule.xyz")).startswith(
        "prototypes.mine: the structure has no cell of non-zero"
    )


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"element": "Zr"},
        {"element": "Zr", "lattice": "bcc"},
        {"element": "Zr", "a": 3.2},
        {"element": "Zr", "lattice": "bcc", "a": 3.2, "file": "x.cif"},
        {"file": "x.cif", "a": 3.2},
        {"element": "Zr", "lattice": "bcc", "a": -3.2},
    ],
)
def test_a_prototype_is_given_in_one_way(options):
    with pytest.raises(ValidationError):
        PrototypeOptions(**options)


@pytest.fixture
def batch() -> Batch:
    rng = np.random.default_rng(3)
    structures = []
    for k, atoms in enumerate([bulk("Zr", "hcp"), ordered_b2(), low_symmetry(), bulk("Zr", "bcc", a=3.57)]):
        atoms.rattle(0.1, seed=k)
        atoms.info.update(candidate=10 + k, prototype="ab"[k % 2], deformation=rng.random(9))
        structures.append(atoms)
    del structures[2].info["deformation"]
    return pack(structures, orbits=[np.array([0, 0]), np.array([0, 1]), np.arange(4), np.array([0])])


def same(one: Batch, other: Batch) -> bool:
    return one.names == other.names and all(
        getattr(one, field.name).dtype == getattr(other, field.name).dtype
        and np.array_equal(getattr(one, field.name), getattr(other, field.name), equal_nan=field.name != "notes")
        for field in fields(Batch)
        if field.name not in ("names", "pbc")
    )


def test_packing_loses_nothing(batch):
    again = pack([batch.atoms(k) for k in range(4)], orbits=[[0, 0], [0, 1], [0, 1, 2, 3], [0]])
    assert same(again, batch)
    assert [len(batch.atoms(k)) for k in range(4)] == [2, 2, 4, 1]
    assert batch.atoms(1).get_chemical_symbols() == ["Cu", "Zr"]
    assert batch.atoms(3).info["candidate"] == 13
    assert "deformation" not in batch.atoms(2).info
    assert [batch.atoms(k).info["prototype"] for k in range(4)] == ["a", "b", "a", "b"]


def test_structures_without_anything_known_are_numbered_and_every_atom_is_its_own():
    packed = pack([ordered_b2(), low_symmetry()])
    assert packed.candidates.tolist() == [0, 1]
    assert packed.orbits.tolist() == [0, 1, 0, 1, 2, 3]
    assert set(packed.atoms(0).info) == {"candidate"}
    assert len(pack([])) == 0


def test_take_picks_structures_in_the_order_asked(batch):
    taken = batch.take([3, 1, 1])
    assert taken.candidates.tolist() == [13, 11, 11]
    assert taken.offsets.tolist() == [0, 1, 3, 5]
    for k, source in enumerate([3, 1, 1]):
        assert taken.atoms(k) == batch.atoms(source)
        assert taken.atoms(k).info["prototype"] == batch.atoms(source).info["prototype"]
    assert taken.orbits.tolist() == [0, 0, 1, 0, 1]
    assert len(batch.take([])) == 0
    assert same(batch.take(range(4)), batch)


def test_concatenate_undoes_a_cut(batch):
    assert same(concatenate([batch.take([0]), batch.take([1, 2]), batch.take([3])]), batch)


def test_a_batch_written_and_read_is_the_same_and_written_twice_has_the_same_bytes(tmp_path, batch):
    write_batch(tmp_path / "one.npz", batch)
    write_batch(tmp_path / "two.npz", read_batch(tmp_path / "one.npz"))
    assert same(read_batch(tmp_path / "one.npz"), batch)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


def test_a_missing_or_damaged_shard_is_refused(tmp_path, batch):
    path = tmp_path / "0-4.npz"
    with pytest.raises(InputError, match=r"0-4\.npz: no such file"):
        read_batch(path)
    write_batch(path, batch)
    whole = path.read_bytes()
    for length in (0, 1, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match="not complete"):
            read_batch(path)
    at = whole.index(batch.positions.tobytes()) + 11
    path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    with pytest.raises(InputError, match="not complete"):
        read_batch(path)
    np.savez(path, something=np.arange(3))
    with pytest.raises(InputError, match="not complete"):
        read_batch(path)


def brute_force_nearest(atoms: Atoms, reach: int = 4) -> np.ndarray:
    """Smallest distance (n, n) between atoms, over images up to ``reach`` cells away."""
    steps = np.stack(np.meshgrid(*[np.arange(-reach, reach + 1)] * 3), axis=-1).reshape(-1, 3)
    between = atoms.positions[None, :, None] - atoms.positions[:, None, None] + steps @ atoms.cell[:]
    distance = np.linalg.norm(between, axis=-1)
    return np.where(distance < 1e-9, np.inf, distance).min(axis=2)


@pytest.mark.parametrize("name", CRYSTALS)
def test_nearest_neighbour_agrees_with_brute_force(name):
    atoms = CRYSTALS[name][0]
    distance = brute_force_nearest(atoms)
    np.testing.assert_allclose(nearest_neighbour(atoms), distance.min(), rtol=1e-12)


@pytest.mark.parametrize(
    ("lattice", "ratio"), [("sc", 1), ("bcc", np.sqrt(3) / 2), ("fcc", np.sqrt(1 / 2)), ("diamond", np.sqrt(3) / 4)]
)
def test_nearest_neighbours_of_cubic_lattices(lattice, ratio):
    np.testing.assert_allclose(nearest_neighbour(bulk("Zr", lattice, a=10.0)), 10 * ratio)
