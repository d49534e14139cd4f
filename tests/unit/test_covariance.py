"""The covariance of structures: its formula, its bounds, and how far its fast way may stray from its exact one."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gapdesign.descriptors.covariance import Covariance, Layout
from gapdesign.descriptors.kernel import KernelOptions
from gapdesign.descriptors.similarity import Gaussian, power

QUICK = settings(max_examples=40, deadline=None, derandomize=True, database=None)


def kernel(zeta: int = 4, soap: float = 0.3, pair: float = 0.8) -> KernelOptions:
    return KernelOptions(soap={"zeta": zeta, "scale": soap}, pair={"scale": pair})


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def random_features(n: int, layout: Layout, rng: np.random.Generator) -> np.ndarray:
    """Features as the descriptor makes them: non-negative, each part of unit length, in float32."""
    features = rng.random((n, layout.dimension)) ** 3
    for part in (*layout.soap, layout.composition, layout.pair):
        if part is not None:
            features[:, part] = unit(features[:, part])
    return features.astype(np.float32)


def naive(layout: Layout, p: np.ndarray, q: np.ndarray, zeta: int, soap: float, pair: float) -> float:
    """The formula of the documentation, a term at a time."""
    total = 0.0
    for s in range(layout.n_species):
        start = s * layout.spectrum
        dot = sum(float(p[start + m]) * float(q[start + m]) for m in range(layout.spectrum))
        share = 1.0
        if layout.n_species > 1:
            at = layout.n_species * layout.spectrum + s
            share = float(p[at]) * float(q[at])
        total += soap**2 * share * dot**zeta
    first = layout.dimension - layout.pairs
    total += pair**2 * sum(float(p[m]) * float(q[m]) for m in range(first, layout.dimension))
    return total / (soap**2 + pair**2)


@pytest.mark.parametrize("n_species", [1, 2, 3])
@pytest.mark.parametrize(("zeta", "soap", "pair"), [(4, 0.3, 0.8), (1, 1.0, 0.1), (3, 2.0, 0.0), (2, 0.0, 0.5)])
def test_the_covariance_is_the_written_formula(n_species, zeta, soap, pair):
    layout = Layout(n_species=n_species, spectrum=11, pairs=7)
    covariance = Covariance(layout, kernel(zeta, soap, pair))
    features = random_features(6, layout, np.random.default_rng(1))
    expected = np.array([[naive(layout, p, q, zeta, soap, pair) for q in features] for p in features])
    np.testing.assert_allclose(covariance.gram(features, features), expected, rtol=1e-13)
    np.testing.assert_allclose(covariance.diagonal(features), np.diag(expected), rtol=1e-13)
    distance2 = np.array([covariance.distance2(features, row) for row in features])
    squared = np.diag(expected)[:, None] + np.diag(expected) - 2 * expected
    np.testing.assert_allclose(distance2, squared, atol=1e-14)


def test_parts_of_a_feature_vector_follow_each_other_without_gap():
    layout = Layout(n_species=3, spectrum=5, pairs=4)
    parts = [*layout.soap, layout.composition, layout.pair]
    assert [(part.start, part.stop) for part in parts] == [(0, 5), (5, 10), (10, 15), (15, 18), (18, 22)]
    assert layout.dimension == 22
    single = Layout(n_species=1, spectrum=5, pairs=4)
    assert single.composition is None
    assert (single.pair.start, single.dimension) == (5, 9)


@pytest.mark.parametrize("n_species", [1, 2])
def test_a_structure_is_one_with_itself_and_distances_run_from_zero_to_two(n_species):
    layout = Layout(n_species=n_species, spectrum=50, pairs=20)
    covariance = Covariance(layout, kernel())
    features = random_features(40, layout, np.random.default_rng(2))
    np.testing.assert_allclose(covariance.diagonal(features), 1, atol=1e-6)
    assert np.array_equal(covariance.distance2(features, features), np.zeros(40))
    between = covariance.distance2(np.repeat(features, 40, axis=0), np.tile(features, (40, 1)))
    assert between.min() >= 0
    assert between.max() < 2 + 1e-6
    orthogonal = np.zeros((2, layout.dimension), dtype=np.float32)
    for row in range(2):
        for part in (*layout.soap, layout.pair):
            orthogonal[row, part.start + row] = 1
        if layout.composition is not None:
            orthogonal[row, layout.composition] = np.sqrt(0.5)
    np.testing.assert_allclose(covariance.distance2(orthogonal[:1], orthogonal[1]), 2, atol=1e-6)


def test_structures_without_a_species_in_common_share_only_their_pairs():
    layout = Layout(n_species=2, spectrum=3, pairs=2)
    pure = np.zeros((2, layout.dimension), dtype=np.float32)
    pure[0, [0, 6]] = 1  # SOAP and share of the first species
    pure[1, [3, 7]] = 1  # of the second, whose SOAP vector of the first is zero
    pure[:, 8] = 1
    covariance = Covariance(layout, kernel(soap=0.6, pair=0.8))
    np.testing.assert_allclose(covariance.gram(pure, pure), [[1, 0.64], [0.64, 1]], rtol=1e-15)


def test_scales_count_by_their_squares_and_only_by_their_ratio():
    layout = Layout(n_species=1, spectrum=2, pairs=2)
    p = np.array([[1, 0, 1, 0]], dtype=np.float32)
    q = np.array([[1, 0, 0, 1]], dtype=np.float32)  # the same SOAP, orthogonal pairs
    for soap, pair in ((0.3, 0.8), (3, 8)):
        value = Covariance(layout, kernel(soap=soap, pair=pair)).gram(p, q)[0, 0]
        np.testing.assert_allclose(value, 0.09 / (0.09 + 0.64), rtol=1e-14)
    assert Covariance(layout, kernel(soap=0, pair=1)).distance2(p, q)[0] == 2
    assert Covariance(layout, kernel(soap=1, pair=0)).distance2(p, q)[0] == 0


NASTY = st.sampled_from(["random", "equal", "nearly equal", "orthogonal", "tiny tails", "sparse", "signed"])


def nasty(kind: str, n: int, d: int, rng: np.random.Generator) -> np.ndarray:
    rows = rng.random((n, d))
    if kind == "equal":
        rows[:] = rows[0]
    elif kind == "nearly equal":
        rows = rows[0] * (1 + 1e-7 * rows)
    elif kind == "orthogonal":
        rows = np.eye(d)[rng.permutation(d)[np.arange(n) % d]]
    elif kind == "tiny tails":
        rows = 10.0 ** -rng.integers(0, 38, (n, d))
    elif kind == "sparse":
        rows *= rng.random((n, d)) < 0.1
        rows[:, 0] += 1e-3
    elif kind == "signed":
        rows -= 0.5
    return unit(rows).astype(np.float32)


@QUICK
@given(kind=NASTY, n=st.integers(1, 12), d=st.integers(1, 700), zeta=st.integers(1, 16), seed=st.integers(0, 999))
def test_matrix_products_stay_within_the_stated_rounding(kind, n, d, zeta, seed):
    rng = np.random.default_rng(seed)
    layout = Layout(n_species=1, spectrum=d, pairs=8)
    covariance = Covariance(layout, kernel(zeta))
    features = np.hstack([nasty(kind, n, d, rng), nasty("random", n, 8, rng)])
    diagonal = covariance.diagonal(features)
    fast = np.maximum(diagonal[:, None] + diagonal - 2 * covariance.gram(features, features), 0)
    exact = np.array([covariance.distance2(features, row) for row in features])
    assert np.abs(fast - exact).max() <= covariance.rounding
    # One row against many, as the selection does it, takes another path through the linear algebra library.
    column = covariance.gram(features, features[:1])[:, 0]
    assert np.abs(np.maximum(diagonal + diagonal[0] - 2 * column, 0) - exact[0]).max() <= covariance.rounding


def gaussian(length: float, soap: float = 0.3, pair: float = 0.8) -> KernelOptions:
    return KernelOptions(soap={"form": "gaussian", "length": length, "scale": soap}, pair={"scale": pair})


@pytest.mark.parametrize("n_species", [1, 2])
@pytest.mark.parametrize("length", [0.1, 0.5, 3.0])
def test_a_gaussian_is_of_the_distance_of_the_vectors(n_species, length):
    layout = Layout(n_species=n_species, spectrum=11, pairs=7)
    covariance = Covariance(layout, gaussian(length))
    features = random_features(6, layout, np.random.default_rng(1))
    rows = features.astype(float)
    expected = np.zeros((6, 6))
    for s, block in enumerate(layout.soap):
        apart = rows[:, None, block] - rows[None, :, block]
        shares = 1.0
        if layout.composition is not None:
            shares = np.outer(rows[:, layout.composition.start + s], rows[:, layout.composition.start + s])
        expected += 0.09 * shares * np.exp(-(apart**2).sum(axis=-1) / (2 * length**2))
    expected = (expected + 0.64 * rows[:, layout.pair] @ rows[:, layout.pair].T) / 0.73
    np.testing.assert_allclose(covariance.gram(features, features), expected, atol=4e-7 / length**2)
    distance2 = np.array([covariance.distance2(features, row) for row in features])
    assert np.array_equal(np.diag(distance2), np.zeros(6))
    assert distance2.max() <= 2 + 1e-6


def test_the_exponential_is_right_to_its_stated_error():
    dots = np.concatenate([np.linspace(-1, 1.000001, 2001), 1 - np.geomspace(1e-15, 1, 50)])
    for length in (0.01, 0.1, 0.5, 10.0):
        found = Gaussian(length)(dots)
        expected = np.exp(np.maximum((dots - 1) / length**2, -80))
        assert np.abs(found / expected - 1).max() < 4096 * np.finfo(float).eps


@QUICK
@given(kind=NASTY, n=st.integers(1, 12), d=st.integers(1, 700), length=st.floats(0.05, 3), seed=st.integers(0, 999))
def test_so_do_those_of_a_gaussian(kind, n, d, length, seed):
    rng = np.random.default_rng(seed)
    covariance = Covariance(Layout(n_species=1, spectrum=d, pairs=8), gaussian(length))
    features = np.hstack([nasty(kind, n, d, rng), nasty("random", n, 8, rng)])
    diagonal = covariance.diagonal(features)
    fast = np.maximum(diagonal[:, None] + diagonal - 2 * covariance.gram(features, features), 0)
    exact = np.array([covariance.distance2(features, row) for row in features])
    assert np.abs(fast - exact).max() <= covariance.rounding


@QUICK
@given(kind=NASTY, zeta=st.integers(1, 8), seed=st.integers(0, 999))
def test_both_ways_are_within_rounding_of_exact_arithmetic(kind, zeta, seed):
    layout = Layout(n_species=1, spectrum=30, pairs=2)
    covariance = Covariance(layout, kernel(zeta, soap=1, pair=0))
    p, q = np.hstack([nasty(kind, 2, 30, np.random.default_rng(seed)), np.eye(2, dtype=np.float32)])

    def exactly(a, b):
        return sum(Fraction(float(x)) * Fraction(float(y)) for x, y in zip(a[:30], b[:30], strict=True)) ** zeta

    truth = float(exactly(p, p) + exactly(q, q) - 2 * exactly(p, q))
    assert abs(covariance.distance2(p[None], q)[0] - truth) <= covariance.rounding
    gram = covariance.gram(np.stack([p, q]), np.stack([p, q]))
    assert abs(gram[0, 0] + gram[1, 1] - 2 * gram[0, 1] - truth) <= covariance.rounding


@pytest.mark.parametrize("d", [1, 2, 7, 8, 9, 127, 128, 129, 605, 5115, 9020])
def test_the_defining_computation_is_the_same_to_the_bit_however_many_rows_are_asked(d):
    rng = np.random.default_rng(d)
    covariance = Covariance(Layout(n_species=1, spectrum=d, pairs=43), kernel())
    features = np.hstack([nasty("random", 70, d, rng), nasty("random", 70, 43, rng)])
    point = features[33]
    together = covariance.distance2(features, point)
    alone = np.array([covariance.distance2(features[k : k + 1], point)[0] for k in range(70)])
    strided = covariance.distance2(features[::-3], point)[::-1]
    fortran = covariance.distance2(np.asfortranarray(features), point)
    swapped = np.array([covariance.distance2(point[None], row)[0] for row in features])
    assert together.tobytes() == alone.tobytes() == swapped.tobytes() == fortran.tobytes()
    assert together[features.shape[0] - 1 :: -3][::-1].tobytes() == strided.tobytes()
    assert covariance.diagonal(features)[5] == covariance.diagonal(features[5:6])[0]


@QUICK
@given(base=st.integers(-9, 9), exponent=st.integers(1, 16))
def test_powers_are_exact_where_integers_are(base, exponent):
    # 9^16 < 2^53, so that every intermediate square is exact.
    assert power(np.array([float(base)]), exponent)[0] == base**exponent


def test_a_power_leaves_what_it_is_given():
    base = np.array([2.0, 3.0])
    for exponent in (1, 2, 5):
        power(base, exponent)[:] = 0
    assert base.tolist() == [2, 3]


def test_what_cannot_be_told_from_zero_covers_copies_and_nothing_real():
    covariance = Covariance(Layout(n_species=1, spectrum=605, pairs=49), kernel())
    assert covariance.rounding < covariance.overlap < 1e-10
