"""Rows of labels: closed forms of their model, finite differences of its energies, perfect lattices, damaged files."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

import gapdesign
from finite_differences import moved, units
from gapdesign.descriptors import Descriptor, environments_of
from gapdesign.descriptors.kernel import KernelOptions
from gapdesign.descriptors.options import DescriptorOptions
from gapdesign.errors import InputError
from gapdesign.methods.information import InformationOptions
from gapdesign.methods.information.scores import Pool, Posterior, score
from gapdesign.report.configuration import asked
from gapdesign.rows.functions import RowFunctions
from gapdesign.rows.pool import HeldRows, RowPool, write_rows
from gapdesign.structures import pack
from same_crystal import CHANGES, alloy
from toy_pools import features, label_rows, task

SPECIES = [29, 40]
OPTIONS = DescriptorOptions(backend="quippy", soap={"r_cut": 4.0, "n_max": 3, "l_max": 2})


@pytest.fixture(scope="module")
def describe() -> Descriptor:
    return Descriptor(OPTIONS, None, SPECIES)


def sample() -> list[Atoms]:
    frames = []
    for seed in range(12):
        frames.append(alloy())
        frames[-1].rattle(0.2, seed=seed)
    return frames


def chosen(describe: Descriptor, count: int, zeta: int = 2) -> RowFunctions:
    batch = pack(sample())
    found = [environments_of(describe._environments, batch, k) for k in range(len(batch))]
    return RowFunctions.chosen(found, SPECIES, zeta, count)


def test_functions_have_the_covariance_of_the_kernel_before_any_label(describe):
    """At the points it is (v . v')^zeta, for weights of unit variance; elsewhere it is less than 1."""
    functions = chosen(describe, 16)
    assert {z: len(points) for z, points in functions.points.items()} == {29: 8, 40: 8}
    for z, points in functions.points.items():
        values = functions.values(points, np.full(8, z))
        np.testing.assert_allclose(values @ values.T, (points @ points.T) ** 2, atol=1e-7)
    others = units(describe._environments, alloy())
    values = functions.values(others, alloy().numbers)
    assert (np.einsum("nm,nm->n", values, values) < 1 + 1e-9).all()
    same = np.equal.outer(alloy().numbers, alloy().numbers)
    assert np.abs((values @ values.T)[~same]).max() == 0


def test_points_end_where_no_environment_has_variance_left(describe):
    """Of 12 copper atoms and 36 of zirconium there are no more; and copies are no points."""
    functions = chosen(describe, 1000)
    assert len(functions.points[29]) <= 12 and len(functions.points[40]) <= 36
    perfect = pack([bulk("Zr", "hcp", a=3.2, c=5.1) * (2, 2, 2)])
    found = [environments_of(describe._environments, perfect, 0)]
    assert {z: len(points) for z, points in RowFunctions.chosen(found, SPECIES, 2, 10).points.items()} == {40: 1}


def test_rows_are_energies_and_their_finite_differences(describe):
    functions, atoms = chosen(describe, 20), alloy()
    rows = functions.rows(describe, pack([atoms]), 0)
    assert rows.shape == (7 + 3 * 4, 20) and rows.dtype == np.float32

    def energy(changed: Atoms) -> np.ndarray:
        return functions.values(units(describe._environments, changed), atoms.numbers).sum(axis=0)

    np.testing.assert_allclose(rows[0], energy(atoms), rtol=1e-5, atol=1e-6)
    for row in range(18):
        slope = (energy(moved(atoms, row, 5e-4)) - energy(moved(atoms, row, -5e-4))) / 1e-3
        np.testing.assert_allclose(rows[1 + row], -slope, atol=2e-5 * np.abs(rows).max())


@pytest.mark.parametrize("atoms", [alloy(), bulk("Zr", "hcp", a=3.2, c=5.1) * (2, 1, 1)], ids=["alloy", "crystal"])
def test_the_row_of_the_energy_is_the_sum_of_those_of_the_atoms(describe, atoms):
    functions, batch = chosen(describe, 20), pack([atoms])
    own = describe.features_and_environments(batch)[1]
    each = functions.values(own.vectors, own.species)
    assert own.multiplicities.sum() == 4
    np.testing.assert_allclose(own.multiplicities @ each, functions.rows(describe, batch, 0)[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("score", "labels"), [("entropy", []), ("energy", []), ("force", ["force"])])
def test_designs_of_many_atoms_as_rocke_and_kermode_choose_them(score, labels):
    """In a model that is linear in the vectors, all directions of which the pool spans, the two methods are one."""
    frames = []
    for seed in range(30):
        frames.append(bulk("Zr", "hcp", a=3.1 + 0.01 * seed, c=5.1) * (2 + seed % 2, 1, 1))
        frames[-1].rattle(0.05 + 0.005 * seed, seed=seed)
    own = gapdesign.features(
        frames,
        descriptor={"backend": "quippy", "soap": {"r_cut": 4.0, "n_max": 2, "l_max": 1}},
        kernel={"soap": {"zeta": 1, "scale": 1.0}, "pair": {"scale": 0.0}},
    )
    asked = {"score": score, "rows": "environments", "noise": 0.2}
    theirs = gapdesign.select(own, 10, method="bayesian", options=asked)
    errors = dict.fromkeys(("energy", "force", "virial")) | dict.fromkeys(["environment", *labels], 0.2)
    found = gapdesign.select(own, 10, method="information", options={"errors": errors, "scores": {score: 1.0}})
    assert list(found.indices) == list(theirs.indices)


def test_rows_do_not_depend_on_how_a_crystal_is_described(describe):
    functions = chosen(describe, 20)
    expected = functions.rows(describe, pack([alloy()]), 0)
    for change in CHANGES:
        found = functions.rows(describe, pack([change(alloy())]), 0)
        if found.shape == expected.shape:
            np.testing.assert_allclose(found[0], expected[0], atol=1e-5)
            lengths = [
                np.sort(np.linalg.norm(rows[7:].reshape(-1, 3, 20), axis=1), axis=None) for rows in (found, expected)
            ]
            np.testing.assert_allclose(*lengths, atol=1e-4)


def test_perfect_lattices_teach_by_their_virials(describe):
    """No force has a row there; an isotropic strain has."""
    crystals = [bulk("Zr", "hcp", a=3.1 + 0.02 * k, c=5.0 + 0.03 * k) for k in range(8)]
    batch = pack(crystals)
    found = [environments_of(describe._environments, batch, k) for k in range(8)]
    functions = RowFunctions.chosen(found, [40], 2, 10)
    rows = HeldRows([functions.rows(describe, batch, k) for k in range(8)])
    assert np.abs(rows.one(0)[7:]).max() < 1e-5 < 0.1 < np.abs(rows.one(0)[1:4]).max()
    scores = {}
    for label in ("energy", "force", "virial"):
        errors = dict.fromkeys(("energy", "force", "virial")) | {label: 0.01}
        options = InformationOptions(errors=errors)
        pool = Pool(task(features(8), 1, rows=rows), options)
        scores[label] = score(pool.one(0), Posterior(len(functions)), options)
    assert scores["force"] < 1e-3 < 1 < scores["virial"] and scores["energy"] > 1


def test_an_element_that_no_sample_held_is_named(describe):
    functions = RowFunctions({40: chosen(describe, 20).points[40]}, 2)
    with pytest.raises(InputError, match=r"rows\.sample: no environment of Cu is among those sampled"):
        functions.rows(describe, pack([alloy()]), 0)


def test_descriptors_without_derivatives_are_refused():
    options = DescriptorOptions(soap={"r_cut": 4.0, "n_max": 3, "l_max": 2})
    with pytest.raises(InputError, match=r"descriptor\.backend: 'dscribe' has no derivatives by positions"):
        RowFunctions({29: np.eye(3), 40: np.eye(3)}, 2).rows(Descriptor(options, None, SPECIES), pack([alloy()]), 0)


def test_files_give_what_was_written_and_equal_ones_equal_bytes(tmp_path, describe):
    functions = chosen(describe, 20)
    for name in ("a.npz", "b.npz"):
        functions.write(tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    read = RowFunctions.read(tmp_path / "a.npz")
    assert (read.zeta, list(read.points)) == (2, [29, 40])
    rows = label_rows(5)
    write_rows(tmp_path / "0-2.npz", [rows.one(0), rows.one(1)])
    write_rows(tmp_path / "2-5.npz", [rows.one(k) for k in (2, 3, 4)])
    pool = RowPool([tmp_path / "2-5.npz", tmp_path / "0-2.npz"])
    assert (len(pool), pool.dimension) == (5, 12)
    for k in range(5):
        np.testing.assert_array_equal(pool.one(k), rows.one(k))


def test_shards_that_are_cut_off_missing_or_not_what_their_name_says_are_refused(tmp_path):
    rows = label_rows(5)
    write_rows(tmp_path / "0-3.npz", [rows.one(k) for k in range(3)])
    write_rows(tmp_path / "4-5.npz", [rows.one(4)])
    with pytest.raises(InputError, match="preceding candidates 3 to 4 are missing"):
        RowPool([tmp_path / "0-3.npz", tmp_path / "4-5.npz"])
    write_rows(tmp_path / "3-5.npz", [rows.one(4)])
    with pytest.raises(InputError, match=r"3-5\.npz: its rows do not match its name"):
        RowPool([tmp_path / "0-3.npz", tmp_path / "3-5.npz"])
    whole = (tmp_path / "0-3.npz").read_bytes()
    (tmp_path / "0-3.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"0-3\.npz: not complete"):
        RowPool([tmp_path / "0-3.npz"])


def test_a_linear_kernel_gives_the_vectors_themselves(describe):
    """With zeta = 1 and a point for every direction, the model is linear in the vectors."""
    functions, kernel = chosen(describe, 400, zeta=1), KernelOptions(soap={"zeta": 1})
    assert kernel.soap.zeta == functions.zeta
    vectors = units(describe._environments, sample()[3])
    values = functions.values(vectors, sample()[3].numbers)
    same = np.equal.outer(sample()[3].numbers, sample()[3].numbers)
    np.testing.assert_allclose(values @ values.T, same * (vectors @ vectors.T), atol=1e-4)


@pytest.mark.parametrize(("method", "is_told"), [("information", True), ("maxmin", False)])
def test_pages_tell_of_rows_only_where_a_design_reads_them(method, is_told):
    configuration = {"rows": {"points": 400}, "designs": {"D": {"pool": "A", "method": method}}}
    assert ("rows" in dict(asked(configuration))) == is_told
