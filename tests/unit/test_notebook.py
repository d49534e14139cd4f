"""Functions for a notebook, against brute force and against the workflow's own functions."""

from __future__ import annotations

import runpy

import numpy as np
import pytest
from ase.build import bulk, molecule

import gapdesign
from conftest import ROOT
from gapdesign.errors import InputError
from gapdesign.methods import METHODS

DESCRIPTION = {
    "descriptor": {"soap": {"r_cut": 5.0, "n_max": 4, "l_max": 3}},
    "kernel": {"pair": {"r_cut": 5.0}},
}


def plain_max_min(points: np.ndarray, n: int, existing: np.ndarray | None = None) -> list[int]:
    """The greedy order on single-precision points, by definition; from the one farthest from the mean."""
    order: list[int] = []
    if existing is None:
        order.append(int(np.argmax(((points - points.mean(axis=0)) ** 2).sum(axis=1))))
        existing = points[order]
    psi = ((points[:, None] - existing) ** 2).sum(axis=2).min(axis=1)
    while len(order) < n:
        order.append(int(np.argmax(psi)))
        psi = np.minimum(psi, ((points - points[order[-1]]) ** 2).sum(axis=1))
    return order


@pytest.fixture(scope="module")
def points() -> np.ndarray:
    return np.random.default_rng(3).normal(size=(400, 4)).astype(np.float32).astype(float)


@pytest.fixture(scope="module")
def frames() -> list:
    rng = np.random.default_rng(4)
    made = []
    for _ in range(40):
        atoms = bulk("Cu", "fcc", a=3.615)
        atoms.set_cell(atoms.cell @ (np.eye(3) + 0.06 * rng.standard_normal((3, 3))), scale_atoms=True)
        made.append(atoms)
    return made


def test_max_min_of_points_is_the_greedy_order_by_euclidean_distance(points):
    design = gapdesign.select(points, 30)
    assert design.indices.tolist() == plain_max_min(points, 30)
    chosen = points[design.indices]
    apart = [np.linalg.norm(chosen[:k] - chosen[k], axis=1).min() for k in range(1, 30)]
    np.testing.assert_allclose(design.distances[1:], apart, rtol=1e-6)
    left = np.linalg.norm(points[:, None] - chosen, axis=2).min(axis=1).max()
    assert design.outside[-1] == pytest.approx(left, rel=1e-6)
    assert gapdesign.coverage(points, design).covering_radius == pytest.approx(left, rel=1e-6)
    assert gapdesign.coverage(points, chosen).covering_radius == pytest.approx(left, rel=1e-6)


@pytest.mark.parametrize("factor", [1e-6, 3.0, 1e6])
def test_the_unit_of_points_changes_no_choice(points, factor):
    one, other = gapdesign.select(points, 12), gapdesign.select(factor * points, 12)
    assert one.indices.tolist() == other.indices.tolist()
    np.testing.assert_allclose(other.distances, factor * one.distances, rtol=1e-6)


def test_points_that_are_as_far_apart_are_taken_by_their_place():
    grid = np.array([(x, y) for y in range(3) for x in range(3)], float)
    assert gapdesign.select(grid, 9, start=0).indices.tolist() == [0, 8, 2, 6, 4, 1, 3, 5, 7]


def test_what_exists_is_continued(points):
    design = gapdesign.select(points[100:], 20, existing=points[:100])
    assert design.indices.tolist() == plain_max_min(points[100:], 20, points[:100])
    copies = np.concatenate([points[:100], points[100:110]])
    assert sorted(gapdesign.select(copies, 20, existing=points[:100]).indices) == list(range(100, 110))


def test_distances_of_points_are_euclidean(points):
    expected = np.linalg.norm(points[:20, None] - points[:30], axis=2)
    np.testing.assert_allclose(gapdesign.distances(points[:20], points[:30]), expected, atol=1e-5)
    assert (np.diag(gapdesign.distances(points[:20])) == 0).all()


@pytest.mark.parametrize("method", METHODS)
def test_every_method_chooses_structures(frames, method):
    description = DESCRIPTION
    if METHODS[method].reads_rows(METHODS[method].Options()):
        description = DESCRIPTION | {"descriptor": DESCRIPTION["descriptor"] | {"backend": "quippy"}}
    design = gapdesign.select(frames, 4, method=method, seed=5, **description)
    assert len(set(design.indices.tolist())) == len(design) == 4
    again = gapdesign.select(gapdesign.features(frames, **description), 4, method=method, seed=5)
    assert again.indices.tolist() == design.indices.tolist()


def test_distances_of_structures_are_those_of_the_kernel(frames):
    pool = gapdesign.features(frames, **DESCRIPTION)
    assert np.asarray(pool).shape == (40, pool.covariance.layout.dimension)
    expected = [np.sqrt(pool.covariance.distance2(pool.values, row)) for row in pool.values]
    np.testing.assert_allclose(gapdesign.distances(frames, **DESCRIPTION), expected, atol=1e-6)


def test_a_slab_is_no_bulk(frames):
    slab = frames[0].copy()
    slab.pbc = [True, True, False]
    assert gapdesign.distances([frames[0], slab], **DESCRIPTION)[0, 1] > 0.01


@pytest.mark.parametrize("structure", ["rematch", "environment"])
def test_structures_are_compared_as_the_kernel_says(frames, structure):
    kernel = DESCRIPTION["kernel"] | {"structure": structure}
    design = gapdesign.select(frames[5:], 4, existing=frames[:5], **DESCRIPTION | {"kernel": kernel})
    assert len(design) == 4
    with pytest.raises(InputError, match=r"^method: 'maxent' compares averages only; leave kernel\.structure out\.$"):
        gapdesign.select(frames, 4, method="maxent", **DESCRIPTION | {"kernel": kernel})


def test_the_workflow_chooses_the_same(finished):
    """From the shards of a study that the workflow ran."""
    from gapdesign.files import read_array, read_frames
    from gapdesign.structures import read_structures

    results = finished.folder / "results/small"
    pool = list(read_structures(sorted((results / "candidates/A").glob("*.npz"), key=lambda path: path.stem)))
    given = {
        "descriptor": {"soap": {"r_cut": 5.0, "n_max": 4, "l_max": 4, "sigma": 0.5}},
        "kernel": DESCRIPTION["kernel"],
    }
    described = gapdesign.features(pool, **given)
    shards = [read_array(results / f"descriptors/A/{name}.npy") for name in ("0-30", "30-60")]
    np.testing.assert_array_equal(described.values, np.concatenate(shards))
    designed = [atoms.info["candidate"] for atoms in read_frames(results / "designs/OPT.extxyz")]
    assert gapdesign.select(described, 10).indices.tolist() == designed


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda p, f: gapdesign.select(p, 0), r"n: 0 structures cannot be chosen from a pool of 400; give 1 to 400"),
        (lambda p, f: gapdesign.select(p, 401), r"n: 401 structures cannot"),
        (lambda p, f: gapdesign.select(p, 3, method="best"), r"method: there is no 'best'; choose from bayesian, cur"),
        (lambda p, f: gapdesign.select(p, 3, method="random", start=1), r"start: the method 'random' takes none"),
        (lambda p, f: gapdesign.select(p, 3, start=400), r"start: there is no candidate 400"),
        (lambda p, f: gapdesign.select(p, 3, options={"x": 1}), r"options\.x: "),
        (lambda p, f: gapdesign.select(p, 3, kernel={}), r"kernel: this is for structures"),
        (
            lambda p, f: gapdesign.select(p, 3, method="cur_environments"),
            r"pool: the method 'cur_env",
        ),
        (lambda p, f: gapdesign.select(p[:, 0], 3), r"an array of shape \(400,\) and type float64 was given"),
        (lambda p, f: gapdesign.select(np.full((3, 2), np.nan), 1), r"row 0 of an array is not finite"),
        (lambda p, f: gapdesign.distances(p, p[:, :2]), r"the arrays have rows of 2 and 4 numbers"),
        (lambda p, f: gapdesign.distances(f, p), r"structures are compared with structures only"),
        (lambda p, f: gapdesign.select(gapdesign.features(f), 3, kernel={}), r"kernel: features were given, which are"),
        (lambda p, f: gapdesign.features([]), r"structures: there are none"),
        (lambda p, f: gapdesign.features(f, elements=["Zq"]), r"elements: 'Zq' is not a chemical symbol"),
        (lambda p, f: gapdesign.features(f, elements=["Al"]), r"elements: the structures hold Cu too"),
        (lambda p, f: gapdesign.features(f, descriptor={"soap": {"rcut": 3}}), r"descriptor\.soap\.rcut: "),
        (lambda p, f: gapdesign.features([*f, molecule("H2")]), r"structure 40 is not periodic in three directions"),
        (lambda p, f: gapdesign.coverage(p, [400]), r"chosen: give places from 0 to 399"),
    ],
)
def test_a_mistake_is_answered_in_one_sentence(points, frames, call, sentence):
    with pytest.raises(InputError, match=sentence) as caught:
        call(points, frames)
    assert "\n" not in str(caught.value)


def test_nothing_heavy_is_imported_before_it_is_asked_for():
    import subprocess
    import sys

    code = "import gapdesign, sys; print([name for name in ('numpy', 'ase', 'pydantic') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
    assert {"features", "distances", "select", "coverage"} <= set(dir(gapdesign))


def test_the_page_prints_what_it_says(tmp_path):
    run = runpy.run_path(str(ROOT / "docs" / "run_page.py"))["run"]
    run(ROOT / "docs" / "notebook.md", tmp_path)
