"""VASP: its input files, its output by a stand-in and by real files, and what is refused."""

import gzip
import itertools
import os
import re
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.io import read
from pydantic import ValidationError
from pymatgen.io.vasp.inputs import Incar, Kpoints, Poscar

from conftest import ROOT
from gapdesign.engines.base import NotConvergedError
from gapdesign.engines.eam import EamEngine, EamOptions
from gapdesign.engines.shared import planewaves
from gapdesign.engines.shared.vasprun import parse
from gapdesign.engines.vasp import VaspEngine, VaspOptions
from gapdesign.errors import InputError

STAND_IN = f"{sys.executable} {ROOT / 'tests/stand_in_vasp.py'}"
"""The program that runs in place of VASP."""

KPOINTS = {"length": 20}
"""A coarse mesh, which the stand-in only lists."""


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """POTCARs with a head and nothing else: VASP's own are under licence."""
    folder = tmp_path_factory.mktemp("potcars")
    for element, symbol, valence in (("Zr", "Zr_sv", 12), ("Cu", "Cu", 11)):
        (folder / symbol).mkdir()
        (folder / symbol / "POTCAR").write_text(
            f"  PAW_PBE {symbol} 01Jan2000\n   {valence}.0\n   VRHFIN ={element}: s2\n   TITEL  = PAW_PBE {symbol}"
            f" 01Jan2000\n   POMASS = 1.0\n   ZVAL   =   {valence}.000    mass and valenz\nEnd of Dataset\n"
        )
    return folder


@pytest.fixture
def make(library):
    """Makes an engine that runs the stand-in, with a fault until a tag is in INCAR."""

    def make(fault="", until="NEVER", **options):
        potcar = {"library": str(library), "symbols": {"Zr": "Zr_sv", "Cu": "Cu"}}
        command = f"{STAND_IN} {fault} {until}" if fault else STAND_IN
        return VaspEngine(VaspOptions(**{"potcar": potcar, "command": command, "kpoints": KPOINTS, **options}))

    return make


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "run").mkdir()
    return tmp_path / "run"


def alloy() -> Atoms:
    """Zirconium and copper in an order that POSCAR cannot keep, in no symmetry at all."""
    rng = np.random.default_rng(5)
    atoms = bulk("CuZr", "cesiumchloride", a=3.3) * (2, 1, 1)
    atoms = atoms[[1, 0, 3, 2]]
    atoms.set_cell(atoms.cell.array @ (np.eye(3) + 0.03 * rng.standard_normal((3, 3))), scale_atoms=True)
    atoms.positions += 0.05 * rng.standard_normal((4, 3)) + 7.0
    assert atoms.get_chemical_symbols() == ["Zr", "Cu", "Zr", "Cu"]
    return atoms


def test_input_is_that_of_the_paper(library, folder):
    """Barzdajn and Race (2025), section 3.2: 600 eV, an automatic mesh, Methfessel-Paxton, defaults of VASP 5."""
    engine = VaspEngine(VaspOptions(potcar={"library": str(library), "symbols": {"Zr": "Zr_sv"}}))
    engine.write_input(bulk("Zr", "hcp", a=3.232, c=5.147), folder)
    incar = Incar.from_file(folder / "INCAR")
    expected = {"ENCUT": 600, "ISMEAR": 1, "SIGMA": 0.2, "GGA": "Pe", "NSW": 0, "IBRION": -1, "ISIF": 2}
    assert {name: incar[name] for name in expected} == expected
    assert (folder / "KPOINTS").read_text().split("\n")[1:] == ["0", "Automatic", "60", ""]
    assert sorted(path.name for path in folder.iterdir()) == ["INCAR", "KPOINTS", "POSCAR", "POTCAR"]


def test_input_holds_the_structure_to_all_digits_with_each_species_together(make, folder):
    atoms = alloy()
    make().write_input(atoms, folder)
    poscar = read(folder / "POSCAR", format="vasp")
    assert poscar.get_chemical_symbols() == ["Cu", "Cu", "Zr", "Zr"]
    order = [1, 3, 0, 2]
    np.testing.assert_allclose(poscar.positions, atoms.positions[order], atol=1e-13)
    np.testing.assert_allclose(poscar.cell.array, atoms.cell.array, atol=1e-13)
    assert re.findall(r"TITEL.*", (folder / "POTCAR").read_text()) == [
        "TITEL  = PAW_PBE Cu 01Jan2000",
        "TITEL  = PAW_PBE Zr_sv 01Jan2000",
    ]
    assert Poscar.from_file(folder / "POSCAR").site_symbols == ["Cu", "Zr"]


def test_tags_of_the_user_take_precedence_and_numbers_may_be_spelt_as_yaml_misreads_them(make, folder):
    make(incar={"ediff": "1e-7", "LASPH": True, "NCORE": 4}).write_input(alloy(), folder)
    incar = Incar.from_file(folder / "INCAR")
    assert (incar["EDIFF"], incar["LASPH"], incar["NCORE"], incar["ENCUT"]) == (1e-7, True, 4, 600)


@pytest.mark.parametrize("tag", ["NSW", "ibrion", "ISIF", "ENCUT", "KSPACING"])
def test_tags_that_would_make_it_another_calculation_are_refused(tag):
    with pytest.raises(ValidationError, match=f"{tag.upper()} cannot be set here"):
        VaspOptions(incar={tag: 1})


def test_an_explicit_mesh_is_written_as_one(make, folder):
    make(kpoints={"mesh": [3, 4, 5]}).write_input(alloy(), folder)
    kpoints = Kpoints.from_file(folder / "KPOINTS")
    assert (kpoints.style.name, kpoints.kpts[0]) == ("Gamma", (3, 4, 5))


def test_label_is_what_the_stand_in_computed_in_the_order_that_was_sent(make, folder):
    atoms = alloy()
    label = make().label(atoms, folder)
    expected = EamEngine(EamOptions(potential="CuZr_mm.eam.fs")).label(atoms)
    assert np.abs(expected.forces).max() > 0.3 and np.abs(expected.virial).max() > 0.3
    assert label.energy == pytest.approx(expected.energy, abs=1e-7)
    np.testing.assert_allclose(label.forces, expected.forces, atol=1e-7)
    np.testing.assert_allclose(label.virial, expected.virial, atol=1e-5)
    assert "stand-in" in (folder / "vasp.out").read_text()


def test_a_left_handed_cell_is_inverted_and_its_label_is_the_same(make, folder):
    atoms = alloy()
    atoms.set_cell(atoms.cell.array[[1, 0, 2]])
    assert np.linalg.det(atoms.cell.array) < 0
    label = make().label(atoms, folder)
    expected = EamEngine(EamOptions(potential="CuZr_mm.eam.fs")).label(atoms)
    np.testing.assert_allclose(label.forces, expected.forces, atol=1e-6)
    np.testing.assert_allclose(label.virial, expected.virial, atol=1e-5)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("electrons", r"the electrons did not converge in 100 steps \(NELM\)"),
        ("stopped", "the last electronic step changed the energy by 0.1 eV; it was stopped early"),
        ("cut-off", "vasprun.xml is cut off or damaged"),
        ("no-stress", "the last ionic step has no stress"),
        ("crash", r"There is no vasprun.xml. VASP ended with status 1; custodian finds edddav"),
        ("moved", "an atom has moved by 0.017 angstrom"),
        ("mesh", r"k-points that are not of the mesh \("),
        ("cutoff", "a cut-off of 500 eV in place of 600"),
        ("sigma", r"SIGMA = 1.2 in place of 0.2"),
    ],
)
def test_what_is_not_to_be_trusted_is_refused_with_the_reason(fault, reason, make, folder):
    with pytest.raises(NotConvergedError, match=reason):
        make(fault).label(alloy(), folder)


def test_a_calculation_that_takes_too_long_is_stopped(make, folder):
    with pytest.raises(NotConvergedError, match=r"was stopped after 0\.001 hours"):
        make("hang", hours=0.001).label(alloy(), folder)


def test_another_version_or_another_potcar_than_asked_is_refused(make, folder, library, tmp_path):
    assert make(version="6.4").label(alloy(), folder)
    with pytest.raises(NotConvergedError, match=r"VASP 6.4.2 in place of 5.4"):
        make(version="5.4").label(alloy(), folder)
    engine = make()
    other = tmp_path / "other" / "Zr_sv"
    other.mkdir(parents=True)
    text = (library / "Zr_sv/POTCAR").read_text()
    (other / "POTCAR").write_text(text)
    changed = make(potcar={"library": str(tmp_path / "other"), "symbols": {"Zr": "Zr_sv"}})
    # The checksum of Zr_sv is the last of the version of the other engine too, elements being sorted.
    assert changed.version.split()[-1] == engine.version.split()[-1]
    (other / "POTCAR").write_text(text.replace("2000", "2001"))
    again = make(potcar={"library": str(tmp_path / "other"), "symbols": {"Zr": "Zr_sv"}})
    assert again.version != changed.version and again.settings == changed.settings


def test_attempts_change_how_it_iterates_and_never_what_is_computed(make, folder):
    engine = make()
    tags = []
    for attempt in range(len(engine.attempts)):
        engine.write_input(alloy(), folder, attempt=attempt)
        tags.append(dict(Incar.from_file(folder / "INCAR")))
    changed = {name for other in tags[1:] for name in other if other[name] != tags[0].get(name)}
    assert changed == {"ALGO", "NELM", "AMIX", "BMIX", "TIME", "ISYM"}
    assert len({str(each) for each in tags}) == len(engine.attempts) == 4


def test_a_later_attempt_succeeds_where_the_first_fails(make, folder):
    engine = make("electrons", until="AMIX")
    with pytest.raises(NotConvergedError, match="electrons"):
        engine.label(alloy(), folder)
    assert engine.label(alloy(), folder, attempt=1).energy == make().label(alloy(), folder).energy


def test_an_isolated_atom_has_its_spin_and_one_k_point_but_a_cell_of_one_atom_has_not(make, folder):
    engine = make()
    engine.write_input(Atoms("Zr", cell=[15] * 3, pbc=True), folder, isolated=True)
    incar = Incar.from_file(folder / "INCAR")
    assert (incar["ISPIN"], incar["MAGMOM"], incar["ISMEAR"], incar["ISYM"]) == (2, [2.0], 0, 0)
    assert Kpoints.from_file(folder / "KPOINTS").kpts[0] == (1, 1, 1)
    assert np.isfinite(engine.label(Atoms("Zr", cell=[15] * 3, pbc=True), folder, isolated=True).energy)
    engine.write_input(bulk("Zr", "bcc", a=3.574), folder)
    incar = Incar.from_file(folder / "INCAR")
    assert incar["ISPIN"] == 1 and "MAGMOM" not in incar
    assert (folder / "KPOINTS").read_text().splitlines()[2:] == ["Automatic", "20"]


def test_identity_is_what_is_computed_and_not_how_or_where(make, library):
    engine = make()
    text = f"{engine.settings} {engine.version}"
    assert str(library) not in text and "stand_in" not in text
    assert all(len(word) == 64 for word in re.findall(r"\b[0-9a-f]{20,}\b", engine.version))
    same = make(command="srun vasp_std", hours=2, core_hours=1, incar={"NCORE": 8, "ALGO": "Fast"})
    assert (same.settings, same.version) == (engine.settings, engine.version)
    for change in ({"encut": 500}, {"incar": {"SIGMA": 0.1}}, {"kpoints": {"length": 30}}, {"isolated_box": 12}):
        assert make(**change).settings != engine.settings
    assert make(version="6").version != engine.version


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"command": "no-such-vasp --fast"}, r"labels.vasp.command: there is no program 'no-such-vasp' here; load"),
        ({"command": "srun 'vasp"}, "labels.vasp.command: .* is not a command"),
        ({"command": " "}, "labels.vasp.command: it is empty"),
        (
            {"potcar": {"symbols": {"Zr": "Zr_sv"}, "library": "/no/such"}},
            "labels.vasp.potcar.library: /no/such is not",
        ),
        ({"potcar": {"symbols": {"Zr": "Zr"}}}, "potcar.symbols: .* has no POTCAR named Zr "),
        ({"potcar": {"symbols": {"Zr": "Cu"}}}, "potcar.symbols: .* is not a POTCAR of Zr"),
        ({"potcar": {"symbols": {}}}, r"there is no POTCAR for Zr; name one, such as `\{Zr: Zr\}`"),
    ],
)
def test_check_names_what_is_missing(options, message, make, library):
    if "potcar" in options:
        options = {"potcar": {"library": str(library), **options["potcar"]}}
    with pytest.raises(InputError, match=message):
        make(**options).check(["Zr"])
    make().check(["Zr", "Cu"])


def test_the_library_may_be_an_environment_variable_and_laid_out_as_pymatgen_does(make, library, tmp_path, monkeypatch):
    (tmp_path / "POTCAR.Zr_sv.gz").write_bytes(gzip.compress((library / "Zr_sv/POTCAR").read_bytes()))
    monkeypatch.setenv("PMG_VASP_PSP_DIR", str(tmp_path))
    engine = make(potcar={"symbols": {"Zr": "Zr_sv"}})
    engine.check(["Zr"])
    assert engine.version.split()[-1] in make().version
    monkeypatch.delenv("PMG_VASP_PSP_DIR")
    with pytest.raises(InputError, match=r"labels.vasp.potcar.library: \$PMG_VASP_PSP_DIR is not a folder"):
        make(potcar={"symbols": {"Zr": "Zr_sv"}}).check(["Zr"])


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(gzip.compress(bytes(2**12), mtime=0), "holds more than"), (b"\x1f\x8b\x08cut", "cannot be read")],
    ids=["bomb", "damaged"],
)
def test_a_bomb_and_a_damaged_file_are_no_potcars(content, sentence, make, tmp_path, monkeypatch):
    monkeypatch.setattr("gapdesign.engines.vasp.potcar.LARGEST", 2**11)
    (tmp_path / "POTCAR.Zr.gz").write_bytes(content)
    with pytest.raises(InputError, match=rf"^labels\.vasp\.potcar\.symbols: .*POTCAR\.Zr\.gz {sentence}"):
        make(potcar={"library": str(tmp_path), "symbols": {"Zr": "Zr"}}).check(["Zr"])


def test_cost_is_as_configured_or_follows_from_the_size_of_the_problem(make):
    atoms = bulk("Zr", "hcp", a=3.232, c=5.147)
    assert make(core_hours=0.3).core_hours(atoms) == 0.3
    assert make().core_hours(atoms) == planewaves.core_hours(atoms, 600, VaspOptions(kpoints=KPOINTS).kpoints)


def data(name: str) -> Path:
    folder = Path(os.environ.get("GAPDESIGN_DATA", ROOT.parent / "shared/data")) / "vasprun"
    if not folder.is_dir():
        pytest.skip("set GAPDESIGN_DATA to a folder with vasprun: tests/files of materialsproject/custodian at e22cc88")
    return folder / f"{name}.xml.gz"


def values(element: ElementTree.Element) -> np.ndarray:
    return np.array([row.text.split() for row in element], dtype=float)


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "formula", "version", "cutoff", "mesh"),
    [
        ("metal", "Al", "5.4.4", 680, (11, 11, 11)),
        ("converged-io", "Si2", "6.4.2", 520, (7, 7, 7)),
        ("postprocess", "Fe2O2", "5.3.5", 520, (1, 1, 1)),
    ],
)
def test_real_files_give_their_label(name, formula, version, cutoff, mesh):
    with gzip.open(data(name)) as stream:
        step = ElementTree.parse(stream).getroot().findall("calculation")[-1]
    calculation = parse(data(name))
    assert calculation.atoms.get_chemical_formula() == formula and calculation.version.startswith(version)
    assert calculation.cutoff == cutoff
    assert planewaves.is_mesh(calculation.points, calculation.weights, mesh)
    assert not planewaves.is_mesh(calculation.points, calculation.weights, [count + 1 for count in mesh])
    assert calculation.label.energy == float(step.find("energy/i[@name='e_fr_energy']").text)
    np.testing.assert_array_equal(calculation.label.forces, values(step.find("varray[@name='forces']")))
    cell = values(step.find("structure/crystal/varray[@name='basis']"))
    # 1 eV/angstrom^3 is 160.21766 GPa (CODATA 2018).
    virial = values(step.find("varray[@name='stress']")) * abs(np.linalg.det(cell)) / 1602.1766
    np.testing.assert_allclose(calculation.label.virial, virial, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(calculation.atoms.cell.array, cell, atol=1e-8)


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("unconverged-electronic", r"the electrons did not converge in 100 steps \(NELM\)"),
        ("unconverged-ionic", r"the atoms did not come to rest in 2 steps \(NSW\)"),
        ("malformed", "malformed.xml.gz is cut off or damaged"),
        ("absent", "There is no absent.xml.gz"),
    ],
)
def test_real_files_without_a_label_are_refused(name, reason):
    with pytest.raises(NotConvergedError, match=reason):
        parse(data(name))


@pytest.mark.data
def test_the_energy_along_a_real_relaxation_changes_as_forces_and_stress_say():
    """Sign and unit of VASP's own stress and forces: the trapezium rule along 28 steps of a relaxation."""
    with gzip.open(data("postprocess")) as stream:
        steps = ElementTree.parse(stream).getroot().findall("calculation")
    path = []
    for step in steps:
        cell = values(step.find("structure/crystal/varray[@name='basis']"))
        places = values(step.find("structure/varray[@name='positions']"))
        forces = values(step.find("varray[@name='forces']"))
        virial = values(step.find("varray[@name='stress']")) * abs(np.linalg.det(cell)) / 1602.1766
        path.append((float(step.find("energy/i[@name='e_fr_energy']").text), cell, places, forces, virial))
    found, expected = [], []
    for (e0, c0, p0, f0, v0), (e1, c1, p1, f1, v1) in itertools.pairwise(path):
        strain = np.linalg.solve((c0 + c1) / 2, c1 - c0)
        shift = (p1 - p0 - np.round(p1 - p0)) @ ((c0 + c1) / 2)
        found.append(e1 - e0)
        expected.append(-np.sum((f0 + f1) / 2 * shift) - np.sum((v0 + v1) / 2 * (strain + strain.T) / 2))
    found, expected = np.array(found), np.array(expected)
    # Half of the steps; in some the electrons jump to another magnetic state.
    assert np.median(np.abs(expected / found - 1)) < 0.03
