"""Methods: max-min against the plain greedy algorithm of its definition, random against chance."""

import itertools
import tempfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from gapdesign.descriptors import Descriptor
from gapdesign.descriptors.covariance import Covariance, Layout
from gapdesign.descriptors.options import DescriptorOptions, KernelOptions, PairKernelOptions
from gapdesign.files import FeaturePool, shard_path, write_array
from gapdesign.methods import Selection, Task, block_rows, frames, maxmin, random
from gapdesign.methods.distance import descending, farthest, mean_descriptor
from gapdesign.samplers import PoolOptions, sample
from gapdesign.structures import PrototypeOptions, prototypes, write_batch

QUICK = settings(max_examples=60, deadline=None, derandomize=True, database=None)


class Careless(Covariance):
    """Covariance by the worst linear algebra library that its bound of rounding allows, never twice the same."""

    rng = np.random.default_rng(0)

    def gram(self, a, b):
        exact = super().gram(a, b)
        errors = [-0.45, 0.45, self.rng.choice([-0.45, 0.0, 0.45], exact.shape)]
        return exact + errors[self.rng.integers(3)] * self.rounding


def dot_product(dimension: int, zeta: int = 1, kind: type[Covariance] = Covariance) -> Covariance:
    """Covariance of plain unit vectors, whose last component, the pair part, is zero."""
    options = KernelOptions(soap={"zeta": zeta, "scale": 1}, pair={"scale": 0})
    return kind(Layout(n_species=1, spectrum=dimension - 1, pairs=1), options)


def open_pool(folder, features: np.ndarray, cuts=()) -> FeaturePool:
    edges = [0, *sorted(cuts), len(features)]
    paths = []
    for start, stop in itertools.pairwise(edges):
        paths.append(shard_path(folder, start, stop, "npy"))
        write_array(paths[-1], features[start:stop])
    return FeaturePool(paths)


def task(pool: FeaturePool, covariance: Covariance, budget: int, *, found=None, rows=10**6, seed="0") -> Task:
    return Task(pool, covariance, budget, seed, found or {}, rows, lambda line: None)


def plain_greedy(features: np.ndarray, covariance: Covariance, start: int, budget: int):
    """BR figure 2 by the defining distance: every candidate at every rank, no shortcut, first of equal ones."""
    order, distance2 = [start], [np.inf]
    psi = np.full(len(features), np.inf)
    while len(order) < min(budget, len(features)):
        psi = np.minimum(psi, covariance.distance2(features, features[order[-1]]))
        psi[order] = -np.inf
        best = int(np.argmax(psi))
        if psi[best] <= covariance.overlap:
            break
        order.append(best)
        distance2.append(psi[best])
    return order, distance2


def expect(features: np.ndarray, covariance: Covariance, budget: int, mean: np.ndarray):
    """The whole Selection that the definition asks for: candidates, distances, outside."""
    start = int(np.argmax(covariance.distance2(features, mean)))
    order, distance2 = plain_greedy(features, covariance, start, budget)
    distance2[0] = covariance.distance2(features[order[:1]], mean)[0]
    outside = []
    for rank in range(len(order)):
        others = np.setdiff1d(np.arange(len(features)), order[: rank + 1])
        nearest = [covariance.distance2(features[order[: rank + 1]], features[k]).min() for k in others]
        outside.append(max(nearest, default=0.0))
    return order, np.sqrt(distance2), np.sqrt(outside)


def agrees(selection: Selection, expected) -> bool:
    order, distances, outside = expected
    assert selection.candidates.tolist() == order
    assert selection.distances.tobytes() == np.array(distances).tobytes()
    assert selection.outside.tobytes() == np.array(outside).tobytes()
    return True


ZIRCONIUM = {
    "hcp": PrototypeOptions(element="Zr", lattice="hcp", a=3.232, c=5.147),
    "bcc": PrototypeOptions(element="Zr", lattice="bcc", a=3.574),
    "fcc": PrototypeOptions(element="Zr", lattice="fcc", a=4.532),
}
SMALL = DescriptorOptions(soap={"r_cut": 5.0, "n_max": 4, "l_max": 4, "sigma": 0.5})


@pytest.fixture(scope="module")
def zirconium():
    batch = sample(PoolOptions(), prototypes(ZIRCONIUM), seed=1, pool="A", start=0, stop=1500)
    return Descriptor(SMALL, PairKernelOptions(), [40]).features(batch)


@pytest.fixture(scope="module")
def covariance(zirconium):
    layout = Descriptor(SMALL, PairKernelOptions(), [40]).layout
    return Covariance(layout, KernelOptions())


@pytest.fixture(scope="module")
def exact(zirconium, covariance, tmp_path_factory):
    pool = open_pool(tmp_path_factory.mktemp("exact"), zirconium)
    return expect(zirconium, covariance, 60, mean_descriptor(pool, covariance, 64))


def test_sixty_of_1500_strained_zirconium_cells_are_those_of_the_plain_algorithm(
    zirconium, covariance, exact, tmp_path
):
    pool = open_pool(tmp_path, zirconium, cuts=(400, 401, 900))
    found = {
        start: start + maxmin.search(zirconium[start:stop], covariance, 60)
        for start, stop in itertools.pairwise([0, 400, 401, 900, 1500])
    }
    selection = maxmin.select(task(pool, covariance, 60, found=found, rows=97))
    assert agrees(selection, exact)
    assert len(set(selection.candidates.tolist())) == 60
    # Greedy distances fall, and the largest distance outside is what the next rank was chosen by.
    assert (np.diff(selection.distances[1:]) <= 0).all()
    assert np.array_equal(selection.outside[:-1], selection.distances[1:])
    assert selection.passes >= 3


def test_a_design_does_not_depend_on_what_was_found_before(zirconium, covariance, exact, tmp_path):
    pool = open_pool(tmp_path, zirconium, cuts=(750,))
    for found in ({}, {0: np.arange(1500)}, {0: np.array([3, 7, 8])}, {0: np.array([], dtype=np.int64)}):
        assert agrees(maxmin.select(task(pool, covariance, 60, found=found)), exact)


def test_a_shorter_design_is_a_prefix(zirconium, covariance, exact, tmp_path):
    pool = open_pool(tmp_path, zirconium)
    for budget in (1, 2, 17):
        selection = maxmin.select(task(pool, covariance, budget))
        assert selection.candidates.tolist() == exact[0][:budget]
        assert np.array_equal(selection.outside, exact[2][:budget])


def test_what_a_search_finds_is_in_the_shard_without_repeats(zirconium, covariance):
    rows = maxmin.search(zirconium[:200], covariance, 40)
    assert len(set(rows.tolist())) == len(rows) == 40
    assert rows.min() >= 0
    assert rows.max() < 200
    assert sorted(maxmin.search(zirconium[:7], covariance, 40)) == list(range(7))


def nasty(kind: str, n: int, d: int, rng: np.random.Generator) -> np.ndarray:
    """Unit vectors (n, d) whose last component is zero."""
    rows = rng.random((n, d - 1))
    if kind == "copies":
        rows = rows[rng.integers(0, max(1, n // 3), n)]
    elif kind == "all equal":
        rows[:] = rows[0]
    elif kind == "orthogonal":
        rows = np.eye(d - 1)[np.arange(n) % (d - 1)]
    elif kind == "orthogonal, shuffled":
        rows = np.eye(d - 1)[rng.integers(0, d - 1, n)]
    elif kind in ("lattice", "lattice but for the last bit"):
        rows = rng.integers(0, 3, (n, d - 1)) + np.eye(d - 1)[0]
    elif kind == "equal but for rounding":
        # One vector lies apart from a heap of permutations, to which it is equally far but for the order of sums.
        values = 10 ** -(5 * rows[0, 2:])
        rows[:, :2], rows[:, 2:] = (0, 1), rng.permuted(np.broadcast_to(values, (n, d - 3)), axis=1)
        rows[rng.integers(n)] = [d, 0, *[1] * (d - 3)]
    elif kind == "two heaps":
        rows = np.eye(d - 1)[rng.integers(0, 2, n)] + 1e-5 * rows
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    if kind.endswith("last bit"):
        rows = np.where(rng.random(rows.shape) < 0.3, np.nextafter(rows, np.float32(2)), rows)
    return np.hstack([rows, np.zeros((n, 1), dtype=np.float32)])


KINDS = [
    "random",
    "copies",
    "all equal",
    "orthogonal",
    "orthogonal, shuffled",
    "lattice",
    "lattice but for the last bit",
    "equal but for rounding",
    "two heaps",
]


@QUICK
@given(
    kind=st.sampled_from(KINDS),
    n=st.integers(1, 60),
    d=st.sampled_from([4, 6, 12, 40]),
    zeta=st.sampled_from([1, 2, 4]),
    library=st.sampled_from([Covariance, Careless]),
    budget=st.integers(1, 30),
    rows=st.integers(1, 70),
    seed=st.integers(0, 10**6),
    data=st.data(),
)
def test_any_pool_however_cut_and_searched_gives_the_plain_order(kind, n, d, zeta, library, budget, rows, seed, data):
    features = nasty(kind, n, d, np.random.default_rng(seed))
    covariance = dot_product(d, zeta, library)
    cuts = data.draw(st.sets(st.integers(1, n - 1), max_size=4)) if n > 1 else set()
    found = data.draw(st.lists(st.integers(0, n - 1), max_size=20))
    with tempfile.TemporaryDirectory() as folder:
        pool = open_pool(folder, features, cuts)
        mean = mean_descriptor(pool, covariance, rows)
        assert farthest(pool, covariance, mean, rows) == np.argmax(covariance.distance2(features, mean))
        expected = expect(features, covariance, budget, mean)
        selection = maxmin.select(task(pool, covariance, budget, found={0: np.array(found, dtype=np.int64)}, rows=rows))
    assert agrees(selection, expected)


@pytest.mark.parametrize("library", [Covariance, Careless])
@pytest.mark.parametrize("seed", range(6))
def test_ties_that_only_rounding_breaks_are_settled_by_the_defining_computation(seed, library, tmp_path):
    features = nasty("equal but for rounding", 300, 40, np.random.default_rng(seed))
    covariance, pool = dot_product(40, kind=library), open_pool(tmp_path, features, cuts=(77, 200))
    expected = expect(features, covariance, 6, mean_descriptor(pool, covariance, 1000))
    assert agrees(maxmin.select(task(pool, covariance, 6, rows=50)), expected)


@pytest.mark.parametrize("kind", KINDS)
def test_shards_of_one_candidate_change_nothing(kind, tmp_path):
    features = nasty(kind, 40, 6, np.random.default_rng(5))
    covariance = dot_product(6)
    whole = maxmin.select(task(open_pool(tmp_path / "whole", features), covariance, 12))
    ones = open_pool(tmp_path / "ones", features, cuts=range(1, 40))
    found = {k: k + maxmin.search(features[k : k + 1], covariance, 12) for k in range(40)}
    assert agrees(
        maxmin.select(task(ones, covariance, 12, found=found, rows=1)),
        (whole.candidates.tolist(), whole.distances, whole.outside),
    )


def test_copies_are_never_chosen_and_the_design_ends_with_them(tmp_path):
    features = np.repeat(np.eye(4, dtype=np.float32)[:3], 50, axis=0)
    selection = maxmin.select(task(open_pool(tmp_path, features), dot_product(4), 20))
    assert sorted(selection.candidates.tolist()) == [0, 50, 100]
    np.testing.assert_allclose(selection.distances[1:], np.sqrt(2))
    assert selection.outside[-1] == 0


def test_a_pool_of_one_and_a_budget_beyond_the_pool(tmp_path):
    one = np.array([[1, 0, 0]], dtype=np.float32)
    selection = maxmin.select(task(open_pool(tmp_path / "one", one), dot_product(3), 5))
    assert (selection.candidates.tolist(), selection.outside.tolist()) == ([0], [0.0])
    three = np.eye(3, dtype=np.float32)[[0, 1, 0]] + np.array([[0, 0, 0], [0, 0, 0], [0, 1, 0]], dtype=np.float32)
    three /= np.linalg.norm(three, axis=1, keepdims=True)
    selection = maxmin.select(task(open_pool(tmp_path / "three", three), dot_product(3), 5))
    assert sorted(selection.candidates.tolist()) == [0, 1, 2]
    assert selection.outside[-1] == 0


def test_of_equally_far_candidates_the_first_is_chosen(tmp_path):
    features = np.eye(9, dtype=np.float32)[:8]
    selection = maxmin.select(task(open_pool(tmp_path, features), dot_product(9), 8))
    assert selection.candidates.tolist() == list(range(8))


def test_the_papers_square_is_filled_coarse_to_fine(tmp_path):
    """BR appendix B: 41 x 41 points on [-1, 1]^2, whose max-min order refines a grid.

    A Gaussian kernel is monotonous in the Euclidean distance, so it has the same max-min designs; its features
    are Gaussians on a coarse grid. Corners come first, then the centre, the midpoints of the edges, and so on
    down to a grid of 5 x 5, each level at a distance that geometry tells.
    """
    length = 0.5
    axis = np.mgrid[-1:1.025:0.05]
    grid = np.arange(-3, 3, 0.8 * length / np.sqrt(2))
    smeared = np.exp(-((axis[:, None] - grid) ** 2) / length**2)
    features = np.einsum("ia,jb->ijab", smeared, smeared).reshape(41 * 41, -1)
    features = np.hstack([features, np.zeros((len(features), 1))])
    features = (features / np.linalg.norm(features, axis=1, keepdims=True)).astype(np.float32)
    shuffle = np.random.default_rng(0).permutation(41 * 41)
    pool = open_pool(tmp_path, features[shuffle], cuts=(500, 1000))
    selection = maxmin.select(task(pool, dot_product(features.shape[1]), 25))

    points = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)[shuffle][selection.candidates]
    euclidean = [np.sqrt(8), 2, 2, np.sqrt(2), *[1] * 4, *[np.sqrt(0.5)] * 4, *[0.5] * 12]
    np.testing.assert_allclose(np.abs(points[:4]), 1, atol=1e-9)
    np.testing.assert_allclose(points[4], 0, atol=1e-9)
    found = [np.linalg.norm(points[:k] - points[k], axis=1).min() for k in range(1, 25)]
    np.testing.assert_allclose(found, euclidean, atol=1e-9)
    expected = np.sqrt(2 - 2 * np.exp(-np.square(euclidean) / (2 * length**2)))
    np.testing.assert_allclose(selection.distances[1:], expected, atol=1e-5)


def test_the_mean_descriptor_is_the_mean_scaled_and_the_same_however_the_pool_is_cut(zirconium, covariance, tmp_path):
    mean = mean_descriptor(open_pool(tmp_path / "a", zirconium), covariance, 1500)
    expected = zirconium.astype(float).mean(axis=0)
    layout = covariance.layout
    for part in (*layout.soap, layout.pair):
        expected[part] /= np.linalg.norm(expected[part])
    np.testing.assert_allclose(mean, expected, atol=1e-7)
    for number, (cuts, rows) in enumerate([((1,), 7), ((500, 1000), 1000), (range(100, 1500, 100), 33)]):
        other = mean_descriptor(open_pool(tmp_path / f"b{number}", zirconium, cuts), covariance, rows)
        assert other.tobytes() == mean.tobytes()


def test_distances_down_a_design_are_to_the_nearest_before(zirconium, covariance):
    rows = zirconium[:8]
    expected = [0.5] + [
        np.sqrt(min(covariance.distance2(rows[j : j + 1], rows[k])[0] for j in range(k))) for k in range(1, 8)
    ]
    assert descending(rows, covariance, 0.5).tolist() == expected


def draw(pool: FeaturePool, seed, budget: int) -> list[int]:
    return random.select(task(pool, dot_product(4), budget, seed=str(seed))).candidates.tolist()


@pytest.fixture(scope="module")
def points(tmp_path_factory):
    """Pools of 7 and of 40 of the same points."""
    features = nasty("random", 40, 4, np.random.default_rng(0))
    folder = tmp_path_factory.mktemp("points")
    return open_pool(folder / "small", features[:7]), open_pool(folder / "large", features)


def test_every_ordered_draw_is_equally_likely(points):
    small, _ = points
    draws = [tuple(draw(small, seed, 2)) for seed in range(2100)]
    assert all(first != second for first, second in draws)
    counts = [draws.count(pair) for pair in itertools.permutations(range(7), 2)]
    assert sum(counts) == 2100
    assert stats.chisquare(counts).pvalue > 1e-3


def test_prefixes_of_a_random_design_are_its_smaller_designs_without_repeats(points):
    _, large = points
    whole = draw(large, "RND1", 40)
    assert sorted(whole) == list(range(40))
    assert whole != sorted(whole)
    for budget in (1, 5, 39):
        assert draw(large, "RND1", budget) == whole[:budget]
    assert draw(large, "RND2", 40) != whole


def test_a_pool_that_grows_keeps_the_random_order_of_its_old_candidates(points):
    small, large = points
    for seed in range(20):
        assert [k for k in draw(large, seed, 40) if k < 7] == draw(small, seed, 7)


def test_random_distances_are_those_to_the_ranks_before(points):
    _, large = points
    covariance = dot_product(4)
    selection = random.select(task(large, covariance, 6))
    rows = large.rows(selection.candidates)
    mean = mean_descriptor(large, covariance, 40)
    assert selection.distances[0] == np.sqrt(covariance.distance2(rows[:1], mean)[0])
    for k in range(1, 6):
        assert selection.distances[k] == np.sqrt(covariance.distance2(rows[:k], rows[k]).min())
    assert selection.outside is None


@pytest.mark.parametrize(("memory", "dimension", "budget"), [(64, 654, 500), (1024, 654, 100), (4096, 20000, 10)])
def test_a_block_and_its_products_fit_the_memory(memory, dimension, budget):
    rows = block_rows(memory, dimension, budget)
    assert rows >= 64
    assert rows * (8 * dimension + 3 * 8 * budget) < memory * 2**20


def test_frames_are_the_structures_chosen_with_what_is_known_of_them(tmp_path):
    batch = sample(PoolOptions(), prototypes(ZIRCONIUM), seed=1, pool="B", start=0, stop=9)
    shards = [tmp_path / "4-9.npz", tmp_path / "0-4.npz"]
    write_batch(shards[0], batch.take(range(4, 9)))
    write_batch(shards[1], batch.take(range(4)))
    chosen = np.array([7, 0, 4])
    made = frames(Selection(chosen, np.array([0.3, 0.2, 0.1]), np.array([0.2, 0.1, 0.05])), shards, pool="B")
    for rank, (atoms, index) in enumerate(zip(made, chosen, strict=True)):
        assert atoms == batch.atoms(index)
        assert list(atoms.info)[:5] == ["pool", "candidate", "rank", "distance", "outside"]
        assert (atoms.info["pool"], atoms.info["candidate"], atoms.info["rank"]) == ("B", index, rank)
        assert atoms.info["prototype"] == batch.atoms(index).info["prototype"]
    assert [atoms.info["outside"] for atoms in made] == [0.2, 0.1, 0.05]
    blind = frames(Selection(chosen, np.array([0.3, 0.2, 0.1])), shards, pool="B")
    assert all("outside" not in atoms.info for atoms in blind)
