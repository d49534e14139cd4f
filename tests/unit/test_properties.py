"""Properties against closed forms of a nearest-neighbour crystal, finite differences of energies, other programs."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.lj import LennardJones
from ase.calculators.morse import MorsePotential

from gapdesign.cells import supercell
from gapdesign.engines import ENGINES
from gapdesign.engines.ase import AseEngine, AseOptions
from gapdesign.engines.base import Label, NotConvergedError
from gapdesign.engines.eam import EamEngine, EamOptions
from gapdesign.errors import InputError
from gapdesign.labels.runs import Runs
from gapdesign.properties import CURVES, Measurement, dimer, elastic, lattice, nve, phonons, volumes
from gapdesign.properties.base import GPA, Crystal, Evaluator, NotMeasuredError
from gapdesign.properties.calculators import of_engine
from gapdesign.properties.compare import compare, together
from gapdesign.properties.options import PropertiesOptions, VolumesOptions, mismatch
from gapdesign.properties.relax import relax_crystal, relax_ions
from gapdesign.properties.work import atoms_evaluated
from gapdesign.prototypes import PrototypeOptions, prototypes

OPTIONS = PropertiesOptions(compute=("lattice", "volumes", "elastic", "dimer", "phonons", "nve"))
DEPTH, WIDTH, LENGTH = 0.4, 5.0, 2.9
SPRING = 2 * DEPTH * (WIDTH / LENGTH) ** 2
"""Second derivative of Morse's potential at its minimum, in eV/angstrom^2."""


def evaluate_by(calculator):
    """Results of an ASE calculator, in the form that models and engines give."""

    def evaluate(atoms: Atoms) -> Label:
        atoms = atoms.copy()
        atoms.calc = calculator
        virial = -atoms.get_volume() * atoms.get_stress(voigt=False)
        return Label(atoms.get_potential_energy(), atoms.get_forces(), virial)

    return evaluate


def morse():
    """Springs between nearest neighbours and nothing else: the second are at 1.41 lengths in fcc and ideal hcp."""
    return MorsePotential(epsilon=DEPTH, rho0=WIDTH, r0=LENGTH, rcut1=1.25, rcut2=1.35)


def relaxed(atoms: Atoms, evaluate) -> tuple[Crystal, Evaluator]:
    calculator = Evaluator(evaluate)
    return Crystal("x", relax_crystal(atoms, calculator, max_force=1e-5, max_steps=100), float("nan")), calculator


@pytest.fixture
def springs():
    return relaxed(bulk("Cu", "fcc", a=4.0), evaluate_by(morse()))


@pytest.fixture(scope="module")
def zirconium():
    return relaxed(bulk("Zr", "hcp", a=3.232, c=5.147), of_engine(EamEngine(EamOptions()), "", Runs()))


def by_name(finding):
    return {value.name: value.value for value in finding.values}


def test_lattice_constants_are_those_of_touching_spheres(springs):
    fcc, calculator = springs
    assert by_name(lattice.measure(fcc, calculator, OPTIONS)) == pytest.approx({"a": np.sqrt(2) * LENGTH}, rel=1e-6)
    hcp, _ = relaxed(bulk("Cu", "hcp", a=2.8, c=4.8), evaluate_by(morse()))
    found = by_name(lattice.measure(hcp, calculator, OPTIONS))
    assert found == pytest.approx({"a": LENGTH, "c": np.sqrt(8 / 3) * LENGTH, "c/a": np.sqrt(8 / 3)}, rel=1e-5)


def test_a_conventional_cell_has_the_lattice_constant_of_the_primitive_one(springs):
    _, calculator = springs
    cubic, _ = relaxed(bulk("Cu", "fcc", a=4.0, cubic=True), evaluate_by(morse()))
    assert by_name(lattice.measure(cubic, calculator, OPTIONS))["a"] == pytest.approx(np.sqrt(2) * LENGTH, rel=1e-6)


def test_the_equation_of_state_is_that_of_the_springs(springs):
    fcc, calculator = springs
    finding = volumes.measure(fcc, calculator, PropertiesOptions(volumes=VolumesOptions(range=0.02)))
    modulus = 4 * SPRING / (3 * np.sqrt(2) * LENGTH) * GPA
    assert by_name(finding) == pytest.approx({"V0": LENGTH**3 / np.sqrt(2), "B": modulus}, rel=2e-3)
    assert [point.y for point in finding.curve][3] == pytest.approx(-6 * DEPTH, rel=1e-6)


def test_the_volumes_of_a_crystal_of_two_free_lengths_are_relaxed_in_shape(zirconium):
    """An energy at a fixed c/a is never below it."""
    hcp, calculator = zirconium
    finding = volumes.measure(hcp, calculator, OPTIONS)
    for point in finding.curve:
        rigid = hcp.atoms.copy()
        rigid.set_cell(rigid.cell * (2 * point.x / rigid.get_volume()) ** (1 / 3), scale_atoms=True)
        rigid.calc = calculator
        assert point.y <= rigid.get_potential_energy() / 2 + 1e-7


def test_elastic_constants_are_those_of_the_springs(springs):
    """Born and Huang: C11 = 2k/a, C12 = C44 = k/a for fcc with springs between nearest neighbours."""
    fcc, calculator = springs
    unit = SPRING / (np.sqrt(2) * LENGTH) * GPA
    found = by_name(elastic.measure(fcc, calculator, OPTIONS))
    assert found == pytest.approx({"C11": 2 * unit, "C12": unit, "C44": unit}, rel=2e-3)


def test_elastic_constants_do_not_depend_on_how_the_crystal_is_turned(springs):
    fcc, calculator = springs
    expected = by_name(elastic.measure(fcc, calculator, OPTIONS))
    turned = fcc.atoms.copy()
    turned.rotate(40, (1, 2, 3), rotate_cell=True)
    assert by_name(elastic.measure(Crystal("x", turned, 0.0), calculator, OPTIONS)) == pytest.approx(expected, rel=1e-3)


def test_lennard_jones_has_the_bulk_modulus_of_the_textbook():
    """Kittel, Introduction to Solid State Physics, chapter 3: 75 epsilon/sigma^3 for fcc; and Cauchy's relation."""
    crystal, calculator = relaxed(bulk("Ar", "fcc", a=1.55 * 3), evaluate_by(LennardJones(sigma=3, rc=18, smooth=True)))
    found = by_name(elastic.measure(crystal, calculator, OPTIONS))
    assert (found["C11"] + 2 * found["C12"]) / 3 * 27 / GPA == pytest.approx(75.2, rel=0.01)
    assert found["C12"] == pytest.approx(found["C44"], rel=0.01)


def strained_energy(atoms: Atoms, calculator, strain: np.ndarray) -> float:
    strained = atoms.copy()
    strained.set_cell(atoms.cell @ (np.eye(3) + strain), scale_atoms=True)
    return relax_ions(strained, calculator, max_force=1e-6, max_steps=200).get_potential_energy()


@pytest.mark.parametrize("name, place", [("C11", (0, 0)), ("C33", (2, 2)), ("C44", (1, 2))])
def test_elastic_constants_are_second_differences_of_the_energy(zirconium, name, place):
    hcp, calculator = zirconium
    step = 2e-3
    strain = np.zeros((3, 3))
    strain[place] += step / 2
    strain[place[::-1]] += step / 2
    ends = strained_energy(hcp.atoms, calculator, strain) + strained_energy(hcp.atoms, calculator, -strain)
    middle = strained_energy(hcp.atoms, calculator, 0 * strain)
    modulus = (ends - 2 * middle) / step**2 / hcp.atoms.get_volume() * GPA
    assert by_name(elastic.measure(hcp, calculator, OPTIONS))[name] == pytest.approx(modulus, rel=0.01)


def test_elastic_constants_are_matscipys(zirconium):
    from ase.optimize import BFGS
    from matscipy.elasticity import fit_elastic_constants

    hcp, calculator = zirconium
    atoms = hcp.atoms.copy()
    atoms.calc = calculator
    theirs, _ = fit_elastic_constants(
        atoms, symmetry="triclinic", N_steps=5, delta=2e-3, optimizer=BFGS, logfile=None, fmax=1e-4, verbose=False,
        graphics=False,
    )  # fmt: skip
    mine = by_name(elastic.measure(hcp, calculator, OPTIONS))
    assert set(mine) == {"C11", "C12", "C13", "C33", "C44"}
    for name, value in mine.items():
        assert value == pytest.approx(theirs[int(name[1]) - 1, int(name[2]) - 1] * GPA, rel=0.01)


@pytest.mark.parametrize(
    "atoms, count",
    [
        (bulk("Cu", "fcc", a=3.6), 3),
        (bulk("Zr", "hcp", a=3.2, c=5.1), 5),
        (bulk("Sn", "bct", a=3.0, c=4.0), 6),
        (Atoms("Cu", cell=[3, 4, 5], pbc=True), 9),
        (Atoms("CuAuAg", positions=[[0, 0, 0], [1, 1.3, 1.7], [2, 0.2, 0.9]], cell=[[3, 0, 0], [1, 4, 0], [0.5, 1, 5]],
               pbc=True), 21),
    ],
)  # fmt: skip
def test_as_many_constants_are_independent_as_the_symmetry_says(atoms, count):
    import spglib

    found = spglib.get_symmetry_dataset((atoms.cell[:], atoms.get_scaled_positions(), atoms.numbers))
    cell = atoms.cell[:].T
    allowed = elastic.invariant(np.array([cell @ turn @ np.linalg.inv(cell) for turn in found.rotations]))
    assert len(allowed) == len(elastic.independent(found.number)) == count
    assert len(elastic.strains_needed(allowed)) <= (6 if count > 6 else 4)


def test_a_dimer_has_the_length_and_depth_of_the_potential():
    wide = MorsePotential(epsilon=DEPTH, rho0=WIDTH, r0=LENGTH, rcut1=1.9, rcut2=2.3)
    finding = dimer.measure(("Cu", "Cu"), Evaluator(evaluate_by(wide)), OPTIONS, farthest=7.0)
    assert by_name(finding) == pytest.approx({"length": LENGTH, "binding": DEPTH}, rel=0.01)
    assert finding.curve[-1].x == 7.0
    assert finding.curve[-1].y == pytest.approx(0, abs=1e-12)


def test_phonons_are_those_of_the_springs(springs):
    """At X = (0, 1/2, 1/2) m w^2 is 8k along, 4k across."""
    fcc, calculator = springs
    found = phonons.force_constants(fcc.atoms, calculator, length=9.0, displacement=0.01)
    hertz = units.fs * 1000 / (2 * np.pi)
    expected = np.sqrt(np.array([4, 4, 8]) * SPRING / fcc.atoms.get_masses()[0]) * hertz
    found.run_qpoints([[0, 0.5, 0.5]])
    assert found.qpoints.frequencies[0] == pytest.approx(expected, rel=2e-3)


def test_the_bands_of_hcp_begin_at_rest_and_are_named(zirconium):
    hcp, calculator = zirconium
    finding = phonons.measure(hcp, calculator, OPTIONS)
    assert {point.branch for point in finding.curve} == set(range(6))
    named = [point for point in finding.curve if point.branch == 0 and point.label]
    assert "".join(point.label for point in named) == "GMKGALHALMKH"
    assert named[0].y == pytest.approx(0, abs=1e-3)
    assert by_name(finding)["phonon_min"] > -0.01


def test_without_phonopy_a_sentence_says_so(springs, monkeypatch):
    monkeypatch.setitem(sys.modules, "phonopy", None)
    with pytest.raises(InputError, match=r"properties\.compute: phonons need the package phonopy"):
        phonons.measure(*springs, OPTIONS)


def test_half_the_time_step_makes_a_quarter_of_the_fluctuation(springs):
    fcc, calculator = springs
    spread = []
    for timestep, steps in ((4, 50), (2, 100)):
        options = PropertiesOptions(nve={"timestep": timestep, "steps": steps})
        found = by_name(nve.measure(fcc, calculator, options, seed=1))
        spread.append(found["fluctuation"])
        assert abs(found["drift"]) < 0.5
    assert spread[0] / spread[1] == pytest.approx(4, rel=0.2)


def test_the_run_starts_at_its_temperature_without_drift(springs):
    fcc, _ = springs
    atoms = supercell(fcc.atoms, 16)
    nve._set_in_motion(atoms, 300, np.random.default_rng(0))
    assert len(atoms) == 18
    assert atoms.get_temperature() == pytest.approx(300)
    assert np.abs(atoms.get_momenta().sum(axis=0)).max() < 1e-9


ZIRCONIUM = prototypes(
    {
        "hcp": PrototypeOptions(element="Zr", lattice="hcp", a=3.232, c=5.147),
        "bcc": PrototypeOptions(element="Zr", lattice="bcc", a=3.574),
    }
)


def measured(evaluate, names, **options):
    return Measurement(
        names=names, prototypes=ZIRCONIUM, options=PropertiesOptions(**options), farthest=7.0, seed=1
    ).run(evaluate)


def test_zirconium_by_mendelev_and_ackland():
    """A = 3.234, c/a = 1.598, bcc 103 meV/atom above hcp: measured with ASE's own implementation of the potential."""
    values, curves = measured(of_engine(EamEngine(EamOptions()), "", Runs()), ["lattice", "dimer"])
    found = values.set_index(["prototype", "property"])["value"]
    assert found["hcp", "a"] == pytest.approx(3.234, abs=1e-3)
    assert found["hcp", "c/a"] == pytest.approx(1.598, abs=1e-3)
    assert found["bcc", "above"] == pytest.approx(103, abs=0.5)
    assert ("hcp", "above") not in found.index
    assert set(curves["curve"]) == {"dimer"}


def test_the_work_is_estimated_within_a_factor_of_two():
    evaluate, atoms_seen = of_engine(EamEngine(EamOptions()), "", Runs()), 0

    def counting(atoms):
        nonlocal atoms_seen
        atoms_seen += len(atoms)
        return evaluate(atoms)

    names = ["lattice", "volumes", "elastic", "dimer", "phonons", "nve"]
    values, _ = measured(counting, names)
    assert (values["reason"] == "").all()
    assert 0.5 < atoms_evaluated(OPTIONS, ZIRCONIUM, names) / atoms_seen < 2


def test_a_potential_that_is_bad_at_everything_gives_reasons_and_no_error():
    def repulsive(atoms):
        """A pressure of 1 eV/angstrom^3 at any volume."""
        volume = atoms.get_volume()
        return Label(-volume, np.zeros((len(atoms), 3)), volume * np.eye(3))

    values, curves = measured(repulsive, ["lattice", "volumes", "elastic", "dimer", "phonons"])
    crystals = values[values["prototype"] != "Zr-Zr"]
    assert set(crystals["property"]) == {"lattice", "volumes", "elastic", "phonons"}
    assert crystals["value"].isna().all()
    assert crystals["reason"].str.match(r"The crystal did not relax: its volume changed by \d+ %\.$").all()
    assert set(curves["prototype"]) == {"Zr-Zr"}


def test_a_number_that_is_not_finite_is_a_reason():
    values, _ = measured(lambda atoms: Label(np.nan, np.zeros((len(atoms), 3)), np.eye(3)), ["elastic", "dimer"])
    assert list(values["reason"]) == ["The potential returned an energy, force or virial that is not finite."] * 3


def test_few_steps_are_a_reason():
    values, _ = measured(of_engine(EamEngine(EamOptions()), "", Runs()), ["lattice"], max_steps=1)
    assert set(values["reason"]) == {"The crystal did not relax in 1 steps (properties.max_steps)."}


def test_what_a_slow_engine_computes_is_kept(tmp_path):
    engine = AseEngine(AseOptions(calculator="ase.calculators.emt.EMT"))
    copper = bulk("Cu", "fcc", a=3.6)
    first = of_engine(engine, tmp_path, Runs())(copper)
    engine.label = None  # it is not asked again
    second = of_engine(engine, tmp_path, Runs())(copper)
    assert first.energy == second.energy
    assert np.array_equal(first.forces, second.forces)


def test_an_engine_that_fails_is_a_reason(tmp_path):
    engine = AseEngine(AseOptions(calculator="ase.calculators.emt.EMT"))
    with pytest.raises(NotMeasuredError, match="The engine ase returned no label: "):
        of_engine(engine, tmp_path, Runs())(bulk("Zr", "hcp", a=3.2, c=5.1))


SENTENCE = "The engine ase returned no label: It did not converge"


class Diverging(AseEngine):
    """Leaves a file and does not converge."""

    def label(self, atoms, folder, *, attempt=0, isolated=False):
        (folder / "log").write_text(atoms.get_chemical_formula())
        raise NotConvergedError("It did not converge.")


def test_every_run_that_failed_is_kept_and_the_reason_says_where(tmp_path):
    evaluate = of_engine(
        Diverging(AseOptions(calculator="ase.calculators.emt.EMT")), tmp_path / "store", Runs(kept=tmp_path / "runs")
    )
    values, _ = Measurement(names=["lattice"], prototypes=ZIRCONIUM, options=OPTIONS, farthest=7.0, seed=1).run(
        evaluate
    )
    places = [reason.removeprefix(f"{SENTENCE}; its files are in ").removesuffix(".") for reason in values["reason"]]
    assert [(Path(place) / "log").read_text() for place in places] == ["Zr2", "Zr"]
    # A run that comes again takes the place of the earlier one and of nothing else.
    with pytest.raises(NotMeasuredError):
        evaluate(ZIRCONIUM[0].atoms)
    assert sorted(map(str, (tmp_path / "runs/properties").iterdir())) == sorted(places)


def test_errors_are_against_reference_and_published_values():
    import pandas as pd

    def table(c11: float) -> pd.DataFrame:
        return pd.DataFrame([{"prototype": "hcp", "property": "C11", "value": c11, "unit": "GPa", "reason": ""}])

    def bands(shift: float) -> pd.DataFrame:
        return pd.DataFrame([("hcp", "phonons", 0, x, x + shift, "") for x in (0, 1)], columns=CURVES)

    curves = {"OPT": bands(0.5), "reference": bands(0.0)}
    found = compare({"OPT": table(150.0), "reference": table(140.0)}, curves, {"hcp": {"C11": 155.0}})
    mine = found[(found["model"] == "OPT") & (found["property"] == "C11")].iloc[0]
    assert (mine["error"], mine["published_error"]) == (10.0, -5.0)
    (deviation,) = found["value"][found["property"] == "phonon_rms"]
    assert deviation == pytest.approx(0.5)
    assert list(together(curves)["model"]) == ["OPT", "OPT", "reference", "reference"]


@pytest.mark.parametrize(
    "options, engine, sentence",
    [
        ({"phonons": {"crystals": ["hpc"]}}, "eam", "phonons.crystals: there is no prototype 'hpc'; choose from hcp"),
        ({"published": {"values": {"hpc": {"a": 1}}}}, "eam", "published.values: there is no prototype 'hpc'"),
        ({"published": {"values": {"hcp": {"C1l": 1}}}}, "eam", "published.values.hcp: 'C1l' is not a property"),
        ({"published": {"of": "Cu"}}, "eam", "published.of: the published values belong to Cu, but the study is of Zr"),
        ({"reference": ["elastic"]}, "file", "reference: the engine file only returns labels"),
    ],
)
def test_a_mistake_is_a_sentence(options, engine, sentence):
    assert mismatch(PropertiesOptions(**options), ["hcp"], ["Zr"], ENGINES[engine]).startswith(sentence)


def test_an_expensive_engine_is_asked_only_for_what_is_named():
    assert PropertiesOptions().of_reference(ENGINES["eam"]) == PropertiesOptions().compute
    assert PropertiesOptions().of_reference(ENGINES["vasp"]) == ()
    assert PropertiesOptions(reference=("elastic",)).of_reference(ENGINES["vasp"]) == ("elastic",)
