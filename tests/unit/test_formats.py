"""Formats to train on: read back by the programs' own readers where these are installed, and by ASE and NumPy.

`pip install dpdata motep` (both without dependencies that the tests lack) lets those of DeePMD-kit and MLIP run; others
come with the environments of models.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from ase import Atoms
from ase.build import bulk, fcc111
from ase.calculators.emt import EMT
from ase.io import read, write

from gapdesign.errors import InputError
from gapdesign.files import write_frames
from gapdesign.formats import FORMATS, export
from gapdesign.formats.base import TRAIN, VALID, Dataset
from gapdesign.formats.dataset import gather, parted
from gapdesign.formats.dataset import read as read_data
from gapdesign.inputs.labels import Keys
from strained_copper import labelled, strained

ORDER = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))


def alloy(symbols: str) -> Atoms:
    atoms = Atoms(symbols, positions=[[0, 0, 0], [0.1, 1.9, 1.8], [1.9, 0, 1.7], [1.8, 1.9, 0.1]])
    atoms.set_cell([[3.8, 0.1, 0], [0, 3.9, 0.2], [0.3, 0, 3.7]])
    atoms.pbc = True
    return labelled(atoms)


@pytest.fixture
def frames() -> list[Atoms]:
    """Copper, an alloy twice with its atoms in another order, and a cluster."""
    made = [*strained()[:4], alloy("CuAuCuAu"), alloy("AuCuAuCu")]
    cluster = Atoms("Cu3", positions=[[0, 0, 0], [2.3, 0.1, 0], [0.2, 2.4, 0.3]])
    computed = cluster.copy()
    computed.calc = EMT()
    cluster.info["REF_energy"], cluster.arrays["REF_forces"] = computed.get_potential_energy(), computed.get_forces()
    made.append(cluster)
    for k, atoms in enumerate(made):
        atoms.info |= {"config_type": "two words" if k == 1 else "bulk", "candidate": k}
    return made


@pytest.fixture
def dataset(frames, tmp_path) -> Dataset:
    write_frames(tmp_path / "labels.extxyz", frames)
    alone = [Atoms(symbol, cell=[20] * 3, pbc=True) for symbol in ("Cu", "Au", "Ni")]
    for energy, atoms in zip((1.25, -0.5, 9.0), alone, strict=True):
        atoms.info |= {"REF_energy": energy, "config_type": "isolated_atom"}
    write_frames(tmp_path / "isolated.extxyz", alone)
    data, isolated = gather(
        read_data([tmp_path / "labels.extxyz"], Keys()), read_data([tmp_path / "isolated.extxyz"], Keys())
    )
    return parted(data, isolated)


def written(name: str, dataset: Dataset, folder: Path) -> Path:
    """Write a set twice, which gives the same bytes, and return the path of the training part."""
    paths = [next(iter(export(dataset, FORMATS[name](), folder / place))) for place in ("first", "second")]
    contents = []
    for path in paths:
        files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
        contents.append([(file.relative_to(path.parent), file.read_bytes()) for file in files])
    assert contents[0] == contents[1] != []
    return paths[0]


def truth(dataset: Dataset) -> list[tuple[Atoms, float, np.ndarray, np.ndarray | None]]:
    return [(d.atoms, d.values.energy, d.values.forces, d.values.virial) for d in dataset.parts[TRAIN]]


def equal(a: Atoms, b: Atoms) -> bool:
    return (
        np.array_equal(a.numbers, b.numbers)
        and np.array_equal(a.positions, b.positions)
        and np.array_equal(a.cell.array, b.cell.array)
        and np.array_equal(a.pbc, b.pbc)
    )


def test_a_compressed_crystal_has_the_sign_that_each_program_expects(tmp_path):
    """Copper at 3.4 angstrom wants to expand: its pressure is positive, and with it all virials; stresses are not."""
    crystal = labelled(bulk("Cu", "fcc", a=3.4))
    step, ends = 1e-4, []
    for factor in (1 + step, 1 - step):
        scaled = bulk("Cu", "fcc", a=3.4 * factor)
        scaled.calc = EMT()
        ends.append((scaled.get_volume(), scaled.get_potential_energy()))
    pressure = -(ends[0][1] - ends[1][1]) / (ends[0][0] - ends[1][0])
    assert pressure > 0.1
    write_frames(tmp_path / "one.extxyz", [crystal])
    dataset = parted(read_data([tmp_path / "one.extxyz"], Keys()), {})
    found, volume = {}, crystal.get_volume()
    for name in FORMATS:
        (path,) = export(dataset, FORMATS[name](), tmp_path / name)
        if name in ("mace", "ace", "nep"):
            key = {"mace": "REF_stress", "ace": "REF_virial", "nep": "virial"}[name]
            found[name] = np.ravel(read(path).info[key])[0] * (-1 if name == "mace" else 1 / volume)
        elif name in ("pacemaker", "ase_db"):
            found[name] = -read(path).get_stress()[0]
        elif name == "deepmd":
            found[name] = np.load(path / "Cu1" / "set.000" / "virial.npy")[0, 0] / volume
        elif name == "mtp":
            lines = path.read_text().splitlines()
            place = next(k for k, line in enumerate(lines) if line.startswith(" PlusStress:"))
            found[name] = float(lines[place + 1].split()[0]) / volume
    assert found == {name: pytest.approx(pressure, rel=1e-4) for name in FORMATS}


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("mace", ("REF_energy", "REF_forces", "REF_stress")),
        ("ace", ("REF_energy", "REF_forces", "REF_virial")),
    ],
)
def test_ase_reads_extended_xyz_back_to_the_last_bit(dataset, tmp_path, name, keys):
    alone, found = [], []
    for atoms in read(written(name, dataset, tmp_path), ":"):
        (alone if atoms.info["config_type"] == "IsolatedAtom" else found).append(atoms)
    assert {str(atoms.symbols): atoms.info["REF_energy"] for atoms in alone} == {"Cu": 1.25, "Au": -0.5}
    for atoms, (structure, energy, forces, virial) in zip(found, truth(dataset), strict=True):
        assert equal(atoms, structure)
        assert atoms.info[keys[0]] == energy
        assert np.array_equal(atoms.arrays[keys[1]], forces)
        assert (keys[2] in atoms.info) == (virial is not None)
        if virial is not None:
            factor = -1 / atoms.get_volume() if name == "mace" else 1
            assert np.allclose(np.reshape(atoms.info[keys[2]], (3, 3)), virial * factor, rtol=1e-14, atol=0)
    assert found[1].info["config_type"] == "two words" and found[3].info["candidate"] == 3


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
def test_mace_reads_its_file(dataset, tmp_path):
    pytest.importorskip("mace")
    from mace.data import KeySpecification, load_from_xyz

    path = written("mace", dataset, tmp_path)
    atoms, found = load_from_xyz(str(path), KeySpecification.from_defaults(), extract_atomic_energies=True)
    assert atoms == {29: 1.25, 79: -0.5}
    for configuration, (_, energy, forces, virial) in zip(found, truth(dataset), strict=True):
        assert configuration.properties["energy"] == energy
        assert np.array_equal(configuration.properties["forces"], forces)
        assert configuration.property_weights["stress"] == (virial is not None)


def test_ace_jax_reads_its_file(dataset, tmp_path):
    data = pytest.importorskip("ace_jax.fit.data")
    found = data.load_configs(
        str(written("ace", dataset, tmp_path)),
        energy_key="REF_energy",
        force_key="REF_forces",
        virial_key="REF_virial",
    )
    assert [configuration.energy for configuration in found[:2]] == [1.25, -0.5]
    for configuration, (_, energy, forces, virial) in zip(found[2:], truth(dataset), strict=True):
        assert configuration.energy == energy and np.array_equal(configuration.forces, forces)
        assert virial is None or np.array_equal(configuration.virial, virial)


def test_nep_has_cohesive_energies_in_periodic_cells(dataset, tmp_path):
    path = written("nep", dataset, tmp_path)
    assert path.name == "train.xyz" and FORMATS["nep"]().lines(dataset) == ["type 2 Cu Au"]
    for atoms, (structure, energy, forces, virial) in zip(read(path, ":"), truth(dataset), strict=True):
        zero = sum({"Cu": 1.25, "Au": -0.5}[symbol] for symbol in structure.symbols)
        assert atoms.get_potential_energy() == pytest.approx(energy - zero, abs=1e-13)
        assert np.array_equal(atoms.get_forces(), forces) and atoms.pbc.all()
        assert np.array_equal(atoms.positions, structure.positions)
        assert virial is None or np.array_equal(atoms.info["virial"], virial)
    assert atoms.get_all_distances(mic=True).max() < 4 and min(atoms.cell.lengths()) > 14  # the cluster has a box


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_torchnep_reads_its_file(dataset, tmp_path):
    data = pytest.importorskip("torchnep.data")
    found = data.read_xyz(str(written("nep", dataset, tmp_path)))
    for frame, (structure, _, forces, virial) in zip(found, truth(dataset), strict=True):
        assert frame["species"] == list(structure.symbols)
        assert np.array_equal(frame["forces"], forces)
        assert ("virial" in frame) == (virial is not None)


def test_deepmd_has_a_system_for_each_composition(dataset, tmp_path):
    folder = written("deepmd", dataset, tmp_path)
    systems = {path.name: path for path in folder.iterdir()}
    assert sorted(systems) == ["Cu1", "Cu2", "Cu2Au2", "Cu3-nopbc-no-virial"]
    assert (systems["Cu3-nopbc-no-virial"] / "nopbc").exists()
    mixed = systems["Cu2Au2"]
    assert (mixed / "type_map.raw").read_text().split() == ["Cu", "Au"]
    assert (mixed / "type.raw").read_text().split() == ["0", "0", "1", "1"]
    arrays = {path.stem: np.load(path) for path in (mixed / "set.000").iterdir()}
    for k, (structure, energy, forces, virial) in enumerate(truth(dataset)[4:6]):
        order = np.argsort(structure.numbers, kind="stable")  # copper, then gold
        assert arrays["energy"][k] == energy
        assert np.array_equal(arrays["coord"][k].reshape(-1, 3), structure.positions[order])
        assert np.array_equal(arrays["force"][k].reshape(-1, 3), forces[order])
        assert np.array_equal(arrays["box"][k].reshape(3, 3), structure.cell.array)
        assert np.array_equal(arrays["virial"][k].reshape(3, 3), virial)


def test_dpdata_reads_systems_and_agrees_about_the_virial(dataset, tmp_path):
    """From the stress of extended XYZ, in the sign of ASE, dpdata makes the virial that DeePMD-kit means."""
    dpdata = pytest.importorskip("dpdata")
    system = dpdata.LabeledSystem(str(written("deepmd", dataset, tmp_path) / "Cu2"), fmt="deepmd/npy")
    (path,) = export(dataset, FORMATS["pacemaker"](), tmp_path / "xyz")
    write(tmp_path / "cu2.xyz", [atoms for atoms in read(path, ":") if str(atoms.symbols) == "Cu2"])
    (other,) = dpdata.MultiSystems.from_file(str(tmp_path / "cu2.xyz"), fmt="extxyz")
    assert len(system) == len(other) == 2
    for key in ("energies", "coords", "cells", "forces", "virials"):
        assert np.allclose(system.data[key], other.data[key], atol=1e-7), key


def configurations(path: Path) -> list[dict]:
    """Read a file of MLIP by the description of its form."""
    found = []
    for block in path.read_text().split("BEGIN_CFG")[1:]:
        lines = [line.split() for line in block.split("END_CFG")[0].splitlines() if line.strip()]
        made = {}
        for k, (word, *rest) in enumerate(lines):
            if word == "Size":
                made["size"] = int(lines[k + 1][0])
            elif word == "Supercell":
                made["cell"] = np.array(lines[k + 1 : k + 4], dtype=float)
            elif word == "AtomData:":
                rows = np.array(lines[k + 1 : k + 1 + made["size"]], dtype=float)
                made |= dict(zip(rest, rows.T, strict=True))
            elif word == "Energy":
                made["energy"] = float(lines[k + 1][0])
            elif word == "PlusStress:":
                made["stress"] = dict(zip(rest, map(float, lines[k + 1]), strict=True))
        found.append(made)
    return found


def test_configurations_of_mlip_are_equal_to_the_last_bit(dataset, tmp_path):
    path = written("mtp", dataset, tmp_path)
    assert "type 0: Cu" in FORMATS["mtp"]().lines(dataset)
    copper, gold, *found = configurations(path)
    assert (copper["energy"], gold["energy"], gold["type"].tolist()) == (1.25, -0.5, [1.0])
    assert "fx" not in copper
    for made, (structure, energy, forces, virial) in zip(found, truth(dataset), strict=True):
        assert made["energy"] == energy
        assert np.array_equal(np.transpose([made[f"cartes_{axis}"] for axis in "xyz"]), structure.positions)
        assert np.array_equal(np.transpose([made[f"f{axis}"] for axis in "xyz"]), forces)
        assert ("cell" in made) == ("stress" in made) == (virial is not None)
        if virial is not None:
            assert np.array_equal(made["cell"], structure.cell.array)
            stress = dict(zip(("xx", "yy", "zz", "yz", "xz", "xy"), (virial[place] for place in ORDER), strict=True))
            assert made["stress"] == stress
    assert "e-" not in path.read_text().replace("config_type", "")


def test_motep_reads_configurations_of_mlip(dataset, tmp_path):
    cfg = pytest.importorskip("motep.io.mlip.cfg")
    found = cfg.read_cfg(str(written("mtp", dataset, tmp_path)), index=":", species=["Cu", "Au"])
    for atoms, (structure, energy, forces, virial) in zip(found[2:], truth(dataset), strict=True):
        assert equal(atoms, structure)
        assert atoms.get_potential_energy() == energy and np.array_equal(atoms.get_forces(), forces)
        if virial is not None:
            stress = [-virial[place] / structure.get_volume() for place in ORDER]
            assert np.allclose(atoms.get_stress(), stress, rtol=1e-14)


def test_ase_reads_the_files_of_pacemaker_and_the_database_as_results(dataset, tmp_path):
    for name, skipped in (("pacemaker", 0), ("ase_db", 2)):
        found = read(written(name, dataset, tmp_path / name), ":")[skipped:]
        for atoms, (structure, energy, forces, virial) in zip(found, truth(dataset), strict=True):
            assert equal(atoms, structure)
            assert atoms.get_potential_energy() == energy and np.array_equal(atoms.get_forces(), forces)
            if virial is not None:
                stress = [-virial[place] / structure.get_volume() for place in ORDER]
                assert np.allclose(atoms.get_stress(), stress, rtol=1e-14)


def test_pacemaker_is_told_how_tables_are_made_and_what_atoms_cost(dataset):
    """As extxyz2df of tensorpotential 0.6.2.1 and ACEDataset of python-ace 0.4.0rc1 take it; YAML 1.1 has traps."""
    copper = dataset.isolated["Cu"]
    small = replace(copper, values=replace(copper.values, energy=1e-5))
    given = replace(dataset, isolated=dict(dataset.isolated) | {"Cu": small})
    command, *lines = FORMATS["pacemaker"]().lines(given)
    assert command == "extxyz2df train.extxyz --output-dataset-filename train.pkl.gz"
    told = yaml.safe_load("\n".join(lines))
    assert told == {"data": {"filename": "train.pkl.gz", "reference_energy": {"Cu": 1e-5, "Au": -0.5}}}


def test_rows_of_the_database_are_found_by_what_frames_say(dataset, tmp_path):
    from ase.db import connect

    dataset.parts[TRAIN][0].said["number"] = "12"  # text that a database would take for a number
    database = connect(written("ase_db", dataset, tmp_path))
    assert [row.candidate for row in database.select(config_type="two words")] == [1]
    assert [row.symbols for row in database.select(config_type="IsolatedAtom")] == [["Cu"], ["Au"]]
    assert database.get(candidate=0).data["number"] == "12"
    assert len({row.unique_id for row in database.select()}) == 9


def test_a_slab_gets_vacuum_where_a_program_knows_no_slabs(tmp_path):
    slab = fcc111("Cu", (1, 1, 3), vacuum=2.0)
    slab.pbc = [True, True, False]
    slab.info.clear()
    write_frames(tmp_path / "slab.extxyz", [labelled(slab)])
    dataset = parted(read_data([tmp_path / "slab.extxyz"], Keys()), {})
    box = np.load(written("deepmd", dataset, tmp_path / "deepmd") / "Cu3" / "set.000" / "box.npy").reshape(3, 3)
    (made,) = configurations(written("mtp", dataset, tmp_path / "mtp"))
    assert np.array_equal(box, made["cell"])
    assert box[2, 2] == pytest.approx(np.ptp(slab.positions[:, 2]) + 24, abs=1e-6)
    assert np.array_equal(box[:2], slab.cell.array[:2])


def test_what_a_format_cannot_carry_is_refused(dataset, tmp_path):
    bare = parted([d for d in dataset.parts[TRAIN]], {"Cu": dataset.isolated["Cu"]})
    with pytest.raises(InputError, match=r"^--isolated: there is no isolated atom of Au, though of others"):
        export(bare, FORMATS["nep"](), tmp_path / "nep")
    without = dataset.parts[TRAIN][2]
    object.__setattr__(without.values, "forces", None)
    with pytest.raises(InputError, match=r"^frame 2 of '.*': it has no forces, without which NEP cannot learn"):
        export(dataset, FORMATS["nep"](), tmp_path / "nep")
    assert not (tmp_path / "nep").exists()
    assert (written("deepmd", dataset, tmp_path / "d") / "Cu1-no-forces").is_dir()
    with pytest.raises(InputError, match=r"first: it exists already; remove it, or give another name\.$"):
        export(dataset, FORMATS["deepmd"](), tmp_path / "d" / "first")


def split(dataset: Dataset, **options: object) -> list[list[int]]:
    made = parted(dataset.parts[TRAIN], dict(dataset.isolated), **options)
    return [[each.said["candidate"] for each in made.parts[part]] for part in (TRAIN, VALID)]


def test_parts_are_random_once_for_each_seed(dataset):
    splits = [split(dataset, share=0.3, seed=seed) for seed in range(20)]
    assert all(sorted(train + valid) == list(range(7)) and len(valid) == 2 for train, valid in splits)
    assert splits == [split(dataset, share=0.3, seed=seed) for seed in range(20)]
    assert len({tuple(valid) for _, valid in splits}) > 5
    assert all(train == sorted(train) for train, _ in splits)


def test_relatives_stay_in_one_part(dataset):
    data = dataset.parts[TRAIN]
    for k, each in enumerate(data):
        each.said["parent"] = "first" if k < 3 else f"another {k}"
    data[5].atoms.set_cell(data[4].atoms.cell)  # and the alloys become one structure, as far as the cell goes
    data[5].atoms.numbers[:] = data[4].atoms.numbers
    for seed in range(20):
        train, valid = split(dataset, share=0.45, seed=seed)
        for family in ({0, 1, 2}, {4, 5}):
            assert family <= set(train) or family <= set(valid)
    whole = split(dataset, share=0.3, seed=1, together="config_type")
    assert whole == [[0, 2, 3, 4, 5, 6], [1]]


def test_parts_by_config_type(dataset):
    assert split(dataset, groups=["two words"]) == [[0, 2, 3, 4, 5, 6], [1]]
    for options, message in (
        ({"groups": ["liquid"]}, r"--valid-config-type liquid: .* there are bulk, two words\."),
        ({"groups": ["bulk", "two words"]}, r"--valid: all 7 structures would be kept back"),
        ({"share": 0.3, "together": "run"}, r"--together run: no frame has this key"),
    ):
        with pytest.raises(InputError, match=message):
            split(dataset, **options)


def test_isolated_atoms_must_agree(dataset):
    data, cu = dataset.parts[TRAIN], dataset.isolated["Cu"]
    other = type(cu)(cu.atoms, type(cu.values)(energy=7.0), cu.said, "there")
    with pytest.raises(InputError, match=r"are isolated atoms of Cu with the energies 1.25 and 7 eV; keep the one"):
        gather([*data, cu], [other, cu][::-1])
    with pytest.raises(InputError, match=r"is no isolated atom with an energy; give one atom per frame"):
        gather(data, data[:1])
    with pytest.raises(InputError, match=r"no structure besides isolated atoms"):
        gather([cu], [])
