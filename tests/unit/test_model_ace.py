"""Linear models of the atomic cluster expansion: functions, likelihood, fit, files.

The closed forms need no ace-jax; the rest does, in an environment of its own: see docs/models.md.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111, molecule

from gapdesign.errors import InputError
from gapdesign.models.ace import AcePotential, AcePotentialOptions
from gapdesign.models.ace.basis import solid_harmonics, spherical_harmonics
from gapdesign.models.ace.evidence import KINDS, Evidence, maximise, products
from gapdesign.models.ace.options import AceBoundsOptions
from gapdesign.models.ace.predict import evaluator
from gapdesign.models.ace.rows import OFFSET, Rows, labels, linear
from gapdesign.voigt import VOIGT

SMALL = AcePotentialOptions(order=3, degree=6, r_cut=4.8, starts=2)
SPECIES = (29, 40)
STEP = 1e-5


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def quiet(_: str) -> None:
    """Tell nobody."""


# Without ace-jax


def test_importing_the_member_imports_no_jax():
    import subprocess

    code = "import sys, gapdesign.models.ace as ace; assert ace.AcePotential.name == 'ace' and 'jax' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_missing_package_says_how_it_comes(monkeypatch):
    monkeypatch.setitem(sys.modules, "ace_jax", None)
    monkeypatch.setitem(sys.modules, "ace_jax.basis.model", None)
    with pytest.raises(InputError, match=r"^models\.ace: ace-jax is not installed; run `pip install ace-jax==0.4.1`, "):
        AcePotential(SMALL, SPECIES).hyperparameters([bulk("Cu")], [], rng=np.random.default_rng(0), tell=quiet)


def test_an_element_that_is_not_known_is_found_before_any_job():
    with pytest.raises(InputError, match=r"^models\.ace: ace-jax knows no Am; choose another model\.$"):
        AcePotential.check(SMALL, [40, 95])


def test_harmonics_are_orthonormal_and_have_these_gradients(rng):
    vectors = rng.normal(size=(4, 3))
    for directions in (vectors, vectors / np.linalg.norm(vectors, axis=1)[:, None]):
        _, gradients = solid_harmonics(directions, 5)
        for c, step in enumerate(STEP * np.eye(3)):
            up, down = (solid_harmonics(directions + sign * step, 5)[0] for sign in (1, -1))
            assert np.allclose(gradients[:, :, c], (up - down) / (2 * STEP), atol=1e-6, rtol=1e-6)
    values, tangential = spherical_harmonics(directions, 5)
    assert np.allclose(np.einsum("eac,ec->ea", tangential, directions), 0, atol=1e-12)
    # The sum rule: those of one momentum have squares that add up to (2 l + 1) / (4 pi).
    for momentum in range(6):
        own = values[:, momentum**2 : (momentum + 1) ** 2]
        assert np.allclose((own**2).sum(axis=1), (2 * momentum + 1) / (4 * np.pi))


def made(rng, *, structures=4, size=6, with_virials=True):
    """Return rows of made-up structures of two atoms, and the roughness of their functions."""
    parts = []
    for k in range(structures):
        values, own = rng.normal(size=(OFFSET + 6, size)), rng.normal(size=OFFSET + 6)
        own[1:OFFSET] *= 1 if with_virials and k else np.nan
        own[-1] = np.nan
        parts.append(Rows(2, values, own))
    return parts, np.exp(rng.uniform(0, 3, size=size))


@pytest.mark.parametrize("with_virials", [True, False])
def test_the_likelihood_is_the_density_of_all_labels(rng, with_virials):
    from scipy.stats import multivariate_normal

    parts, roughness = made(rng, with_virials=with_virials)
    evidence = Evidence(products(parts, 6), roughness)
    given = {"noise": 0.3, "noise_virial": 0.7, "noise_force": 0.2, "prior": 1.7, "smoothness": 0.6}
    assert evidence.names == tuple(name for name in given if with_virials or name != "noise_virial")
    value, _ = evidence(np.log([given[name] for name in evidence.names]))
    rows, values = (np.concatenate([getattr(part, name) for part in parts]) for name in ("values", "labels"))
    errors = np.tile(sigma(given), len(parts))
    there = np.isfinite(values)
    spread = given["prior"] / roughness ** given["smoothness"]
    covariance = (rows * spread**2) @ rows.T + np.diag(errors**2)
    dense = multivariate_normal(np.zeros(there.sum()), covariance[np.ix_(there, there)]).logpdf(values[there])
    assert np.isclose(value, dense, rtol=1e-12)


def sigma(given):
    """Return the expected errors of the labels of two atoms."""
    errors = np.full(OFFSET + 6, given["noise_force"])
    errors[KINDS["noise"]] = given["noise"] * np.sqrt(2)
    errors[KINDS["noise_virial"]] = given["noise_virial"] * np.sqrt(2)
    return errors


def test_the_likelihood_has_this_gradient(rng):
    parts, roughness = made(rng)
    evidence = Evidence(products(parts, 6), roughness)
    place = np.log([0.3, 0.7, 0.2, 1.7, 0.6])
    _, gradient = evidence(place)
    for k, step in enumerate(STEP * np.eye(5)):
        assert np.isclose(gradient[k], (evidence(place + step)[0] - evidence(place - step)[0]) / (2 * STEP), rtol=1e-6)


def test_the_search_finds_the_noise_that_was_added(rng):
    roughness, noise = np.exp(rng.uniform(0, 3, size=6)), {"noise": 0.05, "noise_virial": 0.4, "noise_force": 0.01}
    truth, parts = rng.normal(size=6) / roughness, []
    for _ in range(300):
        values = rng.normal(size=(OFFSET + 6, 6))
        parts.append(Rows(2, values, values @ truth + sigma(noise) * rng.normal(size=OFFSET + 6)))
    found = maximise(Evidence(products(parts, 6), roughness), AceBoundsOptions(), 3, quiet)
    assert np.allclose(found.starts, found.log_evidence, atol=1e-3)
    assert not found.at_bound
    for name, value in noise.items():
        assert np.isclose(found.values[name], value, rtol=0.1)


def test_labels_that_are_no_numbers_are_named():
    atoms = bulk("Cu")
    atoms.info["REF_energy"] = -3.0
    with pytest.raises(InputError, match=r"^labels: Cu has no REF_forces; label the design again\.$"):
        labels(atoms, np.zeros(2), SPECIES)
    atoms.arrays["REF_forces"] = np.full((1, 3), np.nan)
    with pytest.raises(
        InputError, match=r"^labels: REF_forces of Cu is not 3 finite numbers; mend it or leave the str"
    ):
        labels(atoms, np.zeros(2), SPECIES)
    with pytest.raises(InputError, match=r"^labels: Cu holds Cu, which is no element of the study; leave it out\.$"):
        labels(atoms, np.zeros(1), (40,))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off", b"<GAP_params/>"])
def test_a_file_that_is_no_model_is_named(tmp_path, content):
    path = tmp_path / "ace.npz"
    with pytest.raises(InputError, match=rf"^{path}: no such potential; fit the model again\.$"):
        evaluator(path)
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"^{path}: not complete .*; delete it and run its stage again\.$"):
        evaluator(path)
    np.savez(path, something=np.zeros(3))
    with pytest.raises(InputError, match=rf"^{path}: not complete \(it holds no model of ace-jax\)"):
        evaluator(path)


# With ace-jax


@pytest.fixture(scope="module")
def program():
    pytest.importorskip("ace_jax", reason="ace-jax is not installed")
    from gapdesign.models.ace import program

    return program


@pytest.fixture(scope="module")
def model(program, tmp_path_factory) -> SimpleNamespace:
    """Return a model with random coefficients."""
    basis = program.new_basis(SMALL, SPECIES)
    coefficients = np.random.default_rng(1).normal(size=basis.size) / np.sqrt(basis.roughness)
    path = tmp_path_factory.mktemp("ace") / "ace.npz"
    alone = np.array([-1.0, 2.0])
    program.write_model(path, basis, coefficients, alone)
    return SimpleNamespace(basis=basis, coefficients=coefficients, path=path, alone=alone, evaluate=evaluator(path))


def shaken(rng: np.random.Generator) -> list[Atoms]:
    """Return a crystal of one atom, an alloy, a slab, a molecule without a cell, and a single atom."""
    slab = fcc111("Cu", (2, 2, 3), a=3.7, vacuum=6.0)
    slab.numbers[::3] = 40
    found = [bulk("Zr"), bulk("Cu", cubic=True).repeat((2, 1, 1)), slab, molecule("CH4")]
    found[1].numbers[1::2], found[3].numbers[:] = 40, [29, 29, 40, 40, 29]
    for atoms in found:
        atoms.rattle(0.1, rng=rng)
        atoms.set_cell(atoms.cell[:] @ (np.eye(3) + 0.03 * rng.normal(size=(3, 3))), scale_atoms=atoms.cell.rank == 3)
    found[3].positions *= 1.8
    return [*found, Atoms("Cu")]


def test_rows_times_coefficients_are_what_the_model_predicts(model, rng):
    for atoms in shaken(rng):
        kinds = np.searchsorted(SPECIES, atoms.numbers)
        label, own = model.evaluate(atoms), linear(model.basis, atoms) @ model.coefficients
        assert np.isclose(label.energy, own[0] + model.alone[kinds].sum(), atol=1e-10)
        assert np.allclose(label.forces.ravel(), own[OFFSET:], atol=1e-10)
        assert (label.virial is None) == (atoms.cell.rank < 3)
        if label.virial is not None:
            assert np.allclose([label.virial[place] for place in VOIGT], own[1:OFFSET], atol=1e-10)


def test_forces_and_virials_are_derivatives_of_the_energy(model, rng):
    for atoms in shaken(rng)[1:3]:
        label = model.evaluate(atoms)
        for _ in range(2):
            shift, strain = rng.normal(size=(len(atoms), 3)), rng.normal(size=(3, 3))
            moved, strained = [], []
            for sign in (1, -1):
                one, other = atoms.copy(), atoms.copy()
                one.positions += sign * STEP * shift
                other.set_cell(other.cell[:] @ (np.eye(3) + sign * STEP * (strain + strain.T)), scale_atoms=True)
                moved.append(model.evaluate(one).energy)
                strained.append(model.evaluate(other).energy)
            assert np.isclose((moved[0] - moved[1]) / (2 * STEP), -(label.forces * shift).sum(), rtol=1e-6, atol=1e-6)
            slope = -(label.virial * (strain + strain.T)).sum()
            assert np.isclose((strained[0] - strained[1]) / (2 * STEP), slope, rtol=1e-6, atol=1e-6)


def energies_of_ace_jax(path: Path, atoms: Atoms) -> np.ndarray:
    """Return the energies of atoms by the code of ace-jax."""
    import jax
    from ace_jax.eval.io import load
    from matscipy.neighbours import neighbour_list

    i, j, vectors = neighbour_list("ijD", atoms, SMALL.r_cut)
    kinds = np.searchsorted(SPECIES, atoms.numbers).astype(np.int32)
    with jax.enable_x64(True):
        model = load(str(path))[0]
        found = jax.jit(lambda vectors: model.site_energies(vectors, kinds[i], kinds[j], i, len(atoms), kinds))
        return np.asarray(found(vectors))


def test_ace_jax_predicts_the_same_from_the_file(model, rng):
    atoms = shaken(rng)[1]
    assert np.isclose(energies_of_ace_jax(model.path, atoms).sum(), model.evaluate(atoms).energy, atol=1e-10)


def test_a_reader_of_the_file_for_lammps_predicts_the_same(model, rng, tmp_path):
    from gapdesign.models.ace.lammps import write_yace

    path = tmp_path / "ace.yace"
    write_yace(path, model.path)
    atoms = shaken(rng)[1]
    assert np.isclose(energies_of_ace_jax(path, atoms).sum(), model.evaluate(atoms).energy, atol=1e-9)


def test_the_program_behind_lammps_predicts_the_same(model, rng, tmp_path):
    pyace = pytest.importorskip("pyace", reason="python-ace, which has the code of ML-PACE, is not installed")
    from gapdesign.models.ace.lammps import write_yace

    path = tmp_path / "ace.yace"
    write_yace(path, model.path)
    calculator = pyace.PyACECalculator(str(path))
    for atoms in shaken(rng)[:2]:  # it knows no slabs
        atoms.calc, label = calculator, model.evaluate(atoms)
        assert np.isclose(atoms.get_potential_energy(), label.energy, atol=1e-9)
        assert np.allclose(atoms.get_forces(), label.forces, atol=1e-8)
        assert np.allclose(-atoms.get_stress(voigt=False) * atoms.get_volume(), label.virial, atol=1e-7)


def labelled(model, rng, count=12) -> tuple[list[Atoms], list[Atoms]]:
    """Return structures with labels of a model, and isolated atoms."""
    frames = []
    for _ in range(count):
        atoms = bulk("Cu", a=3.8, cubic=True)
        atoms.numbers[rng.random(4) < 0.5] = 40
        atoms.rattle(0.2, rng=rng)
        label = model.evaluate(atoms)
        atoms.info |= {"REF_energy": label.energy, "REF_virial": label.virial.ravel()}
        atoms.arrays["REF_forces"] = label.forces
        frames.append(atoms)
    isolated = [Atoms(numbers=[z], info={"REF_energy": energy}) for z, energy in zip(SPECIES, model.alone, strict=True)]
    return frames, isolated


def fitted(frames, isolated, folder: Path, options=SMALL):
    """Fit a model, and return its hyperparameters and files."""
    own = AcePotential(options, SPECIES)
    found = own.hyperparameters(frames, isolated, rng=np.random.default_rng(0), tell=quiet)
    folder.mkdir(exist_ok=True)
    files = [folder / name for name in AcePotential.files]
    own.fit(frames, isolated, found, files, rng=np.random.default_rng(0), memory=None, tell=quiet)
    return found, files


def test_a_fit_reproduces_a_model_of_its_kind_and_itself_to_the_byte(model, rng, tmp_path):
    frames, isolated = labelled(model, rng, count=40)
    del frames[3].info["REF_virial"]
    found, files = fitted(frames, isolated, tmp_path / "one")
    again, others = fitted(frames, isolated, tmp_path / "other")
    assert found == again
    assert [path.read_bytes() for path in files] == [path.read_bytes() for path in others]
    assert found["labels"] == {"noise": 40, "noise_virial": 39 * 6, "noise_force": 40 * 12}
    assert {"noise", "noise_force", "noise_virial"} <= set(found["at_bound"])  # there is no noise
    evaluate = AcePotential.evaluator(files[0])
    for atoms in labelled(model, rng, count=3)[0]:
        assert abs(evaluate(atoms).energy - atoms.info["REF_energy"]) < 0.05 * len(atoms)


def test_designs_without_forces_or_virials_are_fitted(model, rng, tmp_path):
    frames, isolated = labelled(model, rng)
    perfect = []
    for atoms in frames:
        crystal = bulk("Cu", a=3.5 + 0.5 * rng.random())
        crystal.info["REF_energy"] = model.evaluate(crystal).energy
        crystal.arrays["REF_forces"] = np.zeros((1, 3))
        perfect.append(crystal)
        del atoms.info["REF_virial"]
    found, _ = fitted(frames, isolated, tmp_path / "one")
    assert found["noise_virial"] is None
    found, _ = fitted(perfect, isolated, tmp_path / "other")
    assert found["noise_virial"] is None
    assert found["noise_force"] is None
    assert found["noise"] > 0


def test_hyperparameters_of_another_basis_and_little_memory_are_refused(model, rng, tmp_path):
    frames, isolated = labelled(model, rng)
    own, generator = AcePotential(SMALL, SPECIES), np.random.default_rng(0)
    found = own.hyperparameters(frames, isolated, rng=generator, tell=quiet)
    files = [tmp_path / name for name in AcePotential.files]
    other = AcePotential(SMALL.model_copy(update={"degree": 5}), SPECIES)
    with pytest.raises(InputError, match=r"^hyperparameters\.json: found for the basis .*; run the stage again\.$"):
        other.fit(frames, isolated, found, files, rng=generator, memory=None, tell=quiet)
    with pytest.raises(InputError, match=r"^models\.ace: this fit needs \d+ MiB and may use 100; add `--set-resources"):
        own.fit(frames, isolated, found, files, rng=generator, memory=100, tell=quiet)
    with pytest.raises(InputError, match=r"^isolated atoms: none of Zr; give one frame for every element\.$"):
        own.hyperparameters(frames, isolated[:1], rng=generator, tell=quiet)
    with pytest.raises(InputError, match=r"^labels: the design has no labelled structure; a model needs at least one"):
        own.hyperparameters([], isolated, rng=generator, tell=quiet)


def test_a_radius_below_a_bond_is_refused(program):
    with pytest.raises(
        InputError, match=r"^models\.ace\.r_cut: 3 does not reach beyond a bond of Zr, 3\.20 angstrom; "
    ):
        program.new_basis(SMALL.model_copy(update={"r_cut": 3.0}), SPECIES)


def test_another_element_is_refused(model):
    with pytest.raises(InputError, match=rf"^{model.path}: a model of Cu, Zr knows no Al; fit another one\.$"):
        model.evaluate(bulk("Al"))
