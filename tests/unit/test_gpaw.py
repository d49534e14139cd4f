"""GPAW: real labels of zirconium against published trends and finite differences; the rest by a stand-in."""

import importlib.util
import json
import re
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.units import GPa

from gapdesign.engines.base import NotConvergedError
from gapdesign.engines.gpaw import GpawEngine, GpawOptions
from gapdesign.errors import InputError

STAND_IN = """\
import itertools, json, os, sys

if sys.argv[2] == "--identify":
    print(json.dumps({"gpaw": "0.0", "datasets": "none", "elements": ["Zr"]}))
    sys.exit()
folder = sys.argv[2]
task = json.load(open(os.path.join(folder, "task.json")))
size = task["parameters"]["kpts"]["size"]
points = [[i / size[0], j / size[1], k / size[2]] for i, j, k in itertools.product(*map(range, size))]
result = {name: task[name] for name in ("numbers", "positions", "cell")}
result |= {"energy": -1.5, "forces": [[0.0, 0.1, 0.2]] * len(task["numbers"]), "stress": STRESS}
result |= {"cutoff": task["parameters"]["mode"]["ecut"], "points": points, "weights": [1.0] * len(points)}
FAULT
json.dump(result, open(os.path.join(folder, "result.json"), "w"))
"""
"""In place of a Python that has GPAW; the runner's path and its arguments come after it."""

STRESS = [[-1e-3, 0, 0], [0, 0, 2e-4], [0, 2e-4, 0]]


@pytest.fixture
def make(tmp_path):
    """Makes an engine that runs the stand-in with a fault."""

    def make(fault="", **options):
        script = tmp_path / "stand_in_gpaw.py"
        script.write_text(STAND_IN.replace("FAULT", fault).replace("STRESS", str(STRESS)))
        return GpawEngine(GpawOptions(command=f"{sys.executable} {script}", **options))

    return make


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "run").mkdir()
    return tmp_path / "run"


def hcp(a=3.235, ratio=1.595) -> Atoms:
    return bulk("Zr", "hcp", a=a, covera=ratio)


def test_label_is_what_comes_back_with_the_virial_minus_stress_times_volume(make, folder):
    atoms = hcp()
    label = make().label(atoms, folder)
    assert label.energy == -1.5
    np.testing.assert_array_equal(label.forces, [[0.0, 0.1, 0.2]] * 2)
    expected = -atoms.get_volume() * np.array(STRESS)
    np.testing.assert_allclose(label.virial, expected)


def test_parameters_are_those_that_were_asked_for(make, folder):
    make(ecut=500, kpoints={"length": 30}, width=0.2, setups={"Zr": "paw"}).label(hcp(), folder)
    parameters = json.loads((folder / "task.json").read_text())["parameters"]
    assert parameters["mode"] == {"name": "pw", "ecut": 500} and parameters["xc"] == "PBE"
    assert parameters["occupations"] == {"name": "methfessel-paxton", "order": 1, "width": 0.2}
    # 30 x 2 / (sqrt(3) 3.235) = 10.7 and 30 / 5.16 = 5.8 points.
    assert parameters["kpts"] == {"size": [11, 11, 6], "gamma": True} and parameters["setups"] == {"Zr": "paw"}
    assert "hund" not in parameters


def test_an_isolated_atom_obeys_hunds_rule_with_one_k_point_and_a_cell_of_one_atom_does_not(make, folder):
    engine = make()
    engine.label(Atoms("Zr", cell=[engine.isolated_box] * 3, pbc=True), folder, isolated=True)
    parameters = json.loads((folder / "task.json").read_text())["parameters"]
    assert parameters["hund"] and parameters["kpts"]["size"] == [1, 1, 1]
    engine.label(bulk("Zr", "bcc", a=3.574), folder)
    parameters = json.loads((folder / "task.json").read_text())["parameters"]
    assert "hund" not in parameters and min(parameters["kpts"]["size"]) > 10


def test_attempts_change_how_it_iterates_and_never_what_is_computed(make, folder):
    engine, seen = make(), []
    for attempt in range(len(engine.attempts)):
        engine.label(hcp(), folder, attempt=attempt)
        seen.append(json.loads((folder / "task.json").read_text())["parameters"])
    changed = {name for other in seen[1:] for name in other if other[name] != seen[0].get(name)}
    assert changed == {"mixer", "maxiter", "eigensolver"}
    assert len({str(each) for each in seen}) == len(engine.attempts) == 3


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("sys.exit(3)", "GPAW ended with status 3"),
        ("raise MemoryError('no more')", "GPAW ended with status 1: .*MemoryError: no more"),
        ("os.kill(os.getpid(), 11)", "GPAW ended with status -11: no output"),
        ("result['cutoff'] = 300", "a cut-off of 300 eV in place of 600"),
        (
            "result['points'] = points[1:]; result['weights'] = [1.0] * len(points[1:])",
            "k-points that are not of the mesh",
        ),
        ("result['positions'][0][0] += 0.01", r"an atom has moved by 0\.01 angstrom"),
        ("result['cell'][0][0] += 0.01", r"its cell is another by 0\.01 angstrom"),
    ],
)
def test_what_is_not_to_be_trusted_is_refused_with_the_reason(fault, message, make, folder):
    with pytest.raises(NotConvergedError, match=message):
        make(fault).label(hcp(), folder)


def test_identity_is_what_is_computed_and_not_how_or_where(make):
    engine = make()
    assert engine.version == "gpaw 0.0, data sets sha256 none"
    same = make(hours=3, core_hours=2, maxiter=50)
    assert (same.settings, same.version) == (engine.settings, engine.version)
    assert "stand_in" not in str(engine.settings)
    for change in ({"ecut": 500}, {"kpoints": {"length": 30}}, {"convergence": {"energy": 1e-4}}):
        assert make(**change).settings != engine.settings


def test_a_command_that_does_not_start_gpaw_is_named(make):
    make().check(["Zr"])
    with pytest.raises(InputError, match=r"labels.gpaw.command: there is no program 'no-such-mpirun' here"):
        GpawEngine(GpawOptions(command="no-such-mpirun -np 2 gpaw python")).check()
    with pytest.raises(
        InputError, match=r"the engine gpaw needs GPAW, which .* does not start \(its output: .*docs/eng"
    ):
        _ = GpawEngine(GpawOptions(command="false")).version


@pytest.fixture(scope="module")
def real():
    """Makes engines that run GPAW, cheaply: 340 eV and coarse meshes, which are the same along every curve."""
    if importlib.util.find_spec("gpaw") is None:
        pytest.skip("needs GPAW: make gpaw")

    def make(mesh, **options):
        return GpawEngine(GpawOptions(**{"ecut": 340, "kpoints": {"mesh": mesh}, **options}))

    return make


def label_all(engine, folder, structures):
    """Labels of several structures, two at a time."""
    folders = [folder / str(index) for index in range(len(structures))]
    for each in folders:
        each.mkdir(parents=True)
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(engine.label, structures, folders))


def minimum(engine, folder, cells):
    """Volume and energy, an atom, at the minimum of Birch's equation of second order, and the bulk modulus there.

    The energy is then a parabola in x = V^(-2/3), which three cells determine.
    """
    energies = [label.energy / len(cells[0]) for label in label_all(engine, folder, cells)]
    volumes = np.array([atoms.get_volume() / len(atoms) for atoms in cells])
    curve = np.polyfit(volumes ** (-2 / 3), energies, 2)
    place = -curve[1] / (2 * curve[0])
    volume = place**-1.5
    return volume, np.polyval(curve, place), 2 * curve[0] * (2 / 3) ** 2 * volume ** (-7 / 3)


@pytest.mark.dft
@pytest.mark.slow
def test_lattices_of_zirconium_have_their_order_volume_and_stiffness(real, folder):
    """All-electron PBE (dcdft, ACWF) for volumes and the bulk modulus, GPAW at 600 eV for energies."""
    scales = (0.975, 1.0, 1.025)
    hexagonal, bcc, fcc = (
        minimum(real(mesh), folder / name, [cell(scale) for scale in scales])
        for name, mesh, cell in (
            ("hcp", (8, 8, 5), lambda scale: hcp(3.235 * scale)),
            ("bcc", (9, 9, 9), lambda scale: bulk("Zr", "bcc", a=3.575 * scale)),
            ("fcc", (8, 8, 8), lambda scale: bulk("Zr", "fcc", a=4.528 * scale)),
        )
    )
    volumes, energies, _ = zip(hexagonal, bcc, fcc, strict=True)
    assert volumes == pytest.approx([23.385, 22.845, 23.213], rel=0.02)
    assert hexagonal[2] / GPa == pytest.approx(93.7, rel=0.05)
    assert 1000 * (energies[1] - energies[0]) == pytest.approx(82, abs=15)
    assert 1000 * (energies[2] - energies[0]) == pytest.approx(38, abs=15)


def triclinic() -> Atoms:
    rng = np.random.default_rng(1)
    atoms = hcp()
    atoms.set_cell(atoms.cell.array @ (np.eye(3) + 0.03 * rng.standard_normal((3, 3))), scale_atoms=True)
    atoms.positions += 0.05 * rng.standard_normal((2, 3))
    return atoms


@pytest.mark.dft
@pytest.mark.slow
def test_forces_and_virial_of_a_triclinic_cell_are_derivatives_of_its_energy(real, folder):
    """At a high cut-off: plane waves of a fixed energy are not a basis of fixed size (Pulay stress)."""
    atoms, step = triclinic(), 0.005
    shift = np.array([[0.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    strain = np.array([[1.0, 0.3, 0.0], [0.3, 0.5, -0.2], [0.0, -0.2, -0.4]])
    structures = [atoms]
    for amount in (step, -step):
        moved, strained = atoms.copy(), atoms.copy()
        moved.positions += amount * shift
        strained.set_cell(atoms.cell.array @ (np.eye(3) + amount * strain), scale_atoms=True)
        structures += [moved, strained]
    label, plus, wider, minus, narrower = label_all(real((2, 2, 1), ecut=600), folder, structures)
    assert abs(label.forces[0, 2]) > 0.1
    assert label.forces[0, 2] == pytest.approx((minus.energy - plus.energy) / (2 * step), abs=3e-3)
    found = (narrower.energy - wider.energy) / (2 * step)
    assert np.sum(label.virial * strain) == pytest.approx(found, abs=0.05)
    np.testing.assert_allclose(label.forces.sum(axis=0), 0, atol=1e-3)


@pytest.mark.dft
def test_other_attempts_and_repetitions_give_the_same_label(real, folder):
    engine = real((2, 2, 1), ecut=200)
    first, again, other = (engine.label(triclinic(), folder, attempt=attempt) for attempt in (0, 0, 1))
    assert again.energy == pytest.approx(first.energy, abs=1e-9)
    np.testing.assert_allclose(again.forces, first.forces, atol=1e-7)
    assert other.energy == pytest.approx(first.energy, abs=1e-4)
    np.testing.assert_allclose(other.forces, first.forces, atol=3e-3)


@pytest.mark.dft
def test_a_run_that_does_not_converge_is_refused(real, folder):
    engine = real((1, 1, 1), ecut=200, maxiter=3)
    with pytest.raises(NotConvergedError, match="KohnShamConvergenceError"):
        engine.label(bulk("Zr", "bcc", a=3.574), folder)


@pytest.mark.dft
@pytest.mark.slow
def test_a_real_isolated_atom_is_a_triplet(real, folder):
    engine = real((1, 1, 1), ecut=200, isolated_box=6.0)
    engine.check(["Zr"])
    with pytest.raises(InputError, match=r"labels.gpaw.xc: GPAW has no PBE data set for Fm"):
        engine.check(["Fm"])
    atom = Atoms("Zr", positions=[[3.0] * 3], cell=[6.0] * 3, pbc=True)
    engine.label(atom, folder, isolated=True)
    moment = re.search(r"Total magnetic moment: \(.*, (.*)\)", (folder / "gpaw.txt").read_text())[1]
    assert float(moment) == pytest.approx(2.0, abs=1e-3)
