"""Method fps: published indices, the paper's grid, the plain algorithm."""

import numpy as np
import pytest
from sklearn.datasets import load_diabetes

from gapdesign.errors import InputError
from gapdesign.methods import fps
from gapdesign.methods.fps import FpsMethod
from gapdesign.methods.shared.rows import TransformedRows, linear_features
from gapdesign.shards import HeldPool
from toy_pools import COVARIANCE, assert_same_however_cut, features, task


def plain(vectors: np.ndarray, budget: int, start: int) -> tuple[list[int], list[float]]:
    """BR appendix B, algorithm 2."""
    psi, order, distances = np.linalg.norm(vectors - vectors[start], axis=1), [start], []
    for _ in range(budget - 1):
        order.append(int(np.argmax(psi)))
        distances.append(float(psi.max()))
        psi = np.minimum(psi, np.linalg.norm(vectors - vectors[order[-1]], axis=1))
    return order, distances


def test_the_diabetes_set_gives_the_indices_that_scikit_matter_publishes():
    """Indices in scikit-matter's own tests of its FPS, from start 0."""
    data = load_diabetes().data.astype(np.float32)
    chosen, _ = fps.farthest(TransformedRows(HeldPool(data)), 10, start=0)
    assert chosen == [0, 123, 441, 187, 117, 276, 261, 281, 251, 193]


def test_the_papers_grid_is_filled_level_by_level():
    """BR appendix B: from a corner to the other corners, the middle, and so on by halves, as in its figure 8."""
    axis = np.arange(-20, 21) * 2.0**-5
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2).astype(np.float32)
    grid = np.random.default_rng(1).permutation(grid, axis=0)
    chosen, scores = fps.farthest(TransformedRows(HeldPool(grid)), 25)
    edge = axis[-1]
    points = grid[chosen]
    corners = {(a, b) for a in (-edge, edge) for b in (-edge, edge)}
    assert set(map(tuple, points[:4].tolist())) == corners
    assert points[4].tolist() == [0, 0]
    np.testing.assert_allclose(scores[0], edge * np.sqrt(2))
    np.testing.assert_allclose(scores[1] / edge, np.sqrt(8))
    np.testing.assert_allclose(np.array(scores[2:5]) / edge, [2, 2, np.sqrt(2)])
    np.testing.assert_allclose(np.array(scores[5:9]) / edge, 1)
    np.testing.assert_allclose(np.array(scores[9:13]) / edge, np.sqrt(0.5))
    np.testing.assert_allclose(np.array(scores[13:25]) / edge, 0.5)


def test_a_pool_gives_the_plain_order_on_linear_features():
    rows = features(200)
    selection = FpsMethod.select(task(rows, 30, start=17))
    order, distances = plain(linear_features(rows, COVARIANCE).astype(float), 30, 17)
    assert selection.candidates.tolist() == order
    np.testing.assert_allclose(selection.scores[1:], distances, rtol=1e-6)


def test_it_starts_from_the_candidate_farthest_from_the_mean():
    rows = features(80)
    job = task(rows, 3)
    vectors = linear_features(rows, COVARIANCE) - linear_features(job.mean[None], COVARIANCE)
    distances = np.linalg.norm(vectors.astype(float), axis=1)
    selection = FpsMethod.select(job)
    assert selection.candidates[0] == np.argmax(distances)
    assert selection.scores[0] == pytest.approx(distances.max(), rel=1e-6)


def test_linear_features_are_the_covariance_without_its_power():
    from gapdesign.descriptors.covariance import Covariance, Layout
    from gapdesign.descriptors.kernel import KernelOptions

    layout = Layout(n_species=2, spectrum=4, pairs=3)
    rows = features(9, layout=layout)
    for soap, pair in ((0.3, 0.8), (0.0, 1.0), (1.0, 0.0)):
        covariance = Covariance(layout, KernelOptions(soap={"zeta": 1, "scale": soap}, pair={"scale": pair}))
        vectors = linear_features(rows, covariance).astype(float)
        np.testing.assert_allclose(vectors @ vectors.T, covariance.gram(rows, rows), atol=3e-7)


def test_an_existing_set_is_continued_and_never_chosen_again():
    rows = features(100)
    whole = FpsMethod.select(task(rows, 12))
    rest = FpsMethod.select(task(rows, 7, existing=rows[whole.candidates[:5]]))
    assert rest.candidates.tolist() == whole.candidates[5:].tolist()


def test_copies_end_the_design():
    rows = np.repeat(features(3), 10, axis=0)
    assert sorted(FpsMethod.select(task(rows, 9)).candidates.tolist()) == [0, 10, 20]


def test_it_does_not_depend_on_how_the_pool_is_cut(tmp_path):
    assert_same_however_cut(FpsMethod.select, features(120), 20, tmp_path)


def test_a_start_that_is_not_there_is_refused():
    with pytest.raises(InputError, match=r"start: there is no candidate 9; the pool ends at 8"):
        FpsMethod.select(task(features(9), 2, start=9))
