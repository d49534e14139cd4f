"""Methods: max-min against the plain greedy algorithm of its definition, random against chance."""

import itertools
from contextlib import contextmanager
from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from gapdesign.descriptors import Descriptor
from gapdesign.descriptors.covariance import Covariance, Layout, first_farthest
from gapdesign.descriptors.kernel import KernelOptions, PairKernelOptions
from gapdesign.descriptors.options import DescriptorOptions
from gapdesign.errors import InputError
from gapdesign.files import write_array
from gapdesign.methods import Selection, Task
from gapdesign.methods.designs import frames
from gapdesign.methods.maxmin import compression, tiers
from gapdesign.methods.maxmin import greedy as maxmin
from gapdesign.methods.maxmin.certificate import first_wrong_rank
from gapdesign.methods.maxmin.codes import CodedCovariance
from gapdesign.methods.maxmin.compression import RESIDUAL, CompressedCovariance, Directions
from gapdesign.methods.maxmin.tiers import Ranks
from gapdesign.methods.random import RandomMethod
from gapdesign.methods.shared.distance import descending, mean_descriptor, total
from gapdesign.methods.shared.resources import block_rows, hold
from gapdesign.prototypes import PrototypeOptions, prototypes
from gapdesign.samplers import sample
from gapdesign.samplers.options import PoolOptions
from gapdesign.shards import FeaturePool, HeldPool, shard_path
from gapdesign.structures import write_batch

QUICK = settings(max_examples=60, deadline=None, derandomize=True, database=None)


def dot_product(dimension: int, shape: float = 1) -> Covariance:
    """Covariance of plain unit vectors, whose last component, the pair part, is zero: a power, or below 1 a length."""
    form = {"form": "gaussian", "length": shape} if shape < 1 else {"zeta": shape}
    options = KernelOptions(soap={"scale": 1, **form}, pair={"scale": 0})
    return Covariance(Layout(n_species=1, spectrum=dimension - 1, pairs=1), options)


def open_pool(folder, features: np.ndarray, cuts=()) -> FeaturePool:
    paths = []
    for start, stop in itertools.pairwise([0, *sorted(cuts), len(features)]):
        paths.append(shard_path(folder, start, stop, "npy"))
        write_array(paths[-1], features[start:stop])
    return FeaturePool(paths)


def mean_of(features: np.ndarray, covariance: Covariance) -> np.ndarray:
    return mean_descriptor(total(features), len(features), covariance.layout)


def make_task(features: np.ndarray, covariance: Covariance, budget: int, **given) -> Task:
    """A task on a pool in memory, compressed by directions of the pool itself unless a basis is given."""
    basis = given.pop("basis", None) or Directions.of(features, covariance.layout)
    given = {"mean": mean_of(features, covariance), "pool": HeldPool(features)} | given
    compressed = HeldPool(basis.compress(features))
    return Task(covariance=covariance, budget=budget, **{"basis": basis, "compressed": compressed} | given)


def plain(features: np.ndarray, covariance: Covariance, budget: int, *, start=None, existing=None):
    """The whole selection by its definition (BR figure 2): every distance at every rank, the first of equal ones.

    Equal to single precision, that is.
    """
    mean = mean_of(features, covariance)
    order, distances, psi = [], [], np.full(len(features), np.inf)
    for row in existing if existing is not None else []:
        psi = np.minimum(psi, covariance.distance2(features, row))
    if existing is None:
        start = first_farthest(covariance.distance2(features, mean)) if start is None else start
        psi = np.minimum(psi, covariance.distance2(features, features[start]))
        order, distances = [start], [covariance.distance2(features[start : start + 1], mean)[0]]
    outside = []
    while True:
        left = psi.copy()
        left[order] = -np.inf
        best = first_farthest(left)
        nothing = len(order) == len(features) or left[best] <= covariance.overlap
        if order:
            outside.append(0.0 if len(order) == len(features) else left[best])
        if len(order) == budget or nothing:
            return order, np.sqrt(distances), np.sqrt(outside)
        order.append(best)
        distances.append(left[best])
        psi = np.minimum(psi, covariance.distance2(features, features[best]))


def agrees(selection: Selection, expected) -> bool:
    order, distances, outside = expected
    assert selection.candidates.tolist() == order
    assert selection.distances.tobytes() == np.array(distances, dtype=float).tobytes()
    assert selection.outside.tobytes() == np.array(outside, dtype=float).tobytes()
    return True


ZIRCONIUM = {
    "hcp": PrototypeOptions(element="Zr", lattice="hcp", a=3.232, c=5.147),
    "bcc": PrototypeOptions(element="Zr", lattice="bcc", a=3.574),
    "fcc": PrototypeOptions(element="Zr", lattice="fcc", a=4.532),
}
SMALL = DescriptorOptions(soap={"r_cut": 5.0, "n_max": 4, "l_max": 4, "sigma": 0.5})


@pytest.fixture(scope="module")
def zirconium():
    batch = sample(PoolOptions().sampling, prototypes(ZIRCONIUM), seed=1, pool="A", start=0, stop=1500)
    return Descriptor(SMALL, PairKernelOptions(), [40]).features(batch)


@pytest.fixture(scope="module")
def covariance(zirconium):
    layout = Descriptor(SMALL, PairKernelOptions(), [40]).layout
    return Covariance(layout, KernelOptions())


@pytest.fixture(scope="module")
def exact(zirconium, covariance):
    return plain(zirconium, covariance, 60)


@pytest.fixture(scope="module")
def selected(zirconium, covariance):
    return maxmin.select(make_task(zirconium, covariance, 60))


def test_sixty_of_1500_strained_zirconium_cells_are_those_of_the_plain_algorithm(selected, exact):
    assert agrees(selected, exact)
    assert len(set(selected.candidates.tolist())) == 60
    # Distances fall, and the largest distance outside is what the next rank was chosen by.
    assert (np.diff(selected.distances[1:]) <= 0).all()
    assert np.array_equal(selected.outside[:-1], selected.distances[1:])


@contextmanager
def small_tiers(front=3, share=4, sample=9, block=13, chunk=5, ranks=2, upper=3, is_compiled=False):
    """Tiers so small that even a small pool goes up and down between them, by compiled loops if asked for."""
    large = {"LARGE": 0} if is_compiled else {}
    with (
        patch.multiple(maxmin, FRONT=front, SHARE=share, SAMPLE=sample, BLOCK=block, CHUNK=chunk, UPPER=upper, **large),
        patch.multiple(tiers, CHUNK=chunk, RANKS=ranks),
    ):
        yield


@pytest.mark.parametrize(
    "sizes",
    [
        {},
        {"is_compiled": True},
        {"front": 1, "share": 100, "upper": 1},
        {"front": 50, "ranks": 7, "chunk": 64, "block": 100},
        {"front": 50, "ranks": 7, "chunk": 64, "block": 700, "is_compiled": True},
    ],
)
def test_a_design_does_not_depend_on_the_sizes_of_tiers_and_blocks(zirconium, covariance, exact, sizes):
    with small_tiers(**sizes):
        selection = maxmin.select(make_task(zirconium, covariance, 60))
    assert agrees(selection, exact)
    assert selection.passes > 2


def test_a_design_does_not_depend_on_shards_threads_memory_and_where_the_pool_is(
    zirconium, covariance, exact, tmp_path
):
    basis = Directions.of(zirconium[::100], covariance.layout)
    for number, (cuts, threads) in enumerate([((), 1), ((1, 700), 2), (range(150, 1500, 150), 3)]):
        pool = open_pool(tmp_path / f"features{number}", zirconium, cuts)
        compressed = open_pool(tmp_path / f"compressed{number}", basis.compress(zirconium), cuts)
        where = {"pool": pool, "basis": basis, "compressed": compressed}
        for is_compiled in (False, True):
            with small_tiers(front=16, block=100, is_compiled=is_compiled):
                task = make_task(zirconium, covariance, 60, threads=threads, memory=64, **where)
                assert agrees(maxmin.select(task), exact)


@pytest.mark.parametrize("kept", [1, 2, 5])
def test_a_design_does_not_depend_on_what_compression_leaves_out(zirconium, covariance, kept):
    """With so few directions next to nothing is known, and almost every choice is settled on the full features."""
    features = zirconium[:200]
    fine = Directions.of(features, covariance.layout)
    coarse = Directions(fine.layout, tuple(vectors[:, :kept] for vectors in fine.directions))
    assert coarse.compress(features).shape[1] < fine.compress(features).shape[1]
    selection = maxmin.select(make_task(features, covariance, 20, basis=coarse))
    assert agrees(selection, plain(features, covariance, 20))


def test_a_shorter_design_is_a_prefix(zirconium, covariance, exact):
    for budget in (1, 2, 17):
        selection = maxmin.select(make_task(zirconium, covariance, budget))
        assert agrees(selection, [part[:budget] for part in exact])


def test_a_design_may_start_from_any_candidate(zirconium, covariance):
    for start in (0, 1499):
        selection = maxmin.select(make_task(zirconium, covariance, 10, start=start))
        assert agrees(selection, plain(zirconium, covariance, 10, start=start))
        assert selection.candidates[0] == start
    with pytest.raises(InputError, match=r"start: there is no candidate 1500; the pool ends at 1499"):
        maxmin.select(make_task(zirconium, covariance, 10, start=1500))


def test_a_design_that_continues_an_existing_set_keeps_away_from_it(zirconium, covariance):
    """Continuing the first ranks of a design gives its next ones; what exists is not chosen again."""
    whole = plain(zirconium, covariance, 20)
    existing = zirconium[whole[0][:8]]
    selection = maxmin.select(make_task(zirconium, covariance, 12, existing=existing))
    assert agrees(selection, [part[8:] for part in whole])
    elsewhere = np.ascontiguousarray(zirconium[[3, 5]][:, ::-1])
    selection = maxmin.select(make_task(zirconium, covariance, 12, existing=elsewhere))
    assert agrees(selection, plain(zirconium, covariance, 12, existing=elsewhere))


def test_a_larger_budget_goes_on_where_the_smaller_one_ended(zirconium, covariance, exact):
    state = maxmin.select(make_task(zirconium, covariance, 20)).state
    with patch.object(maxmin.Ranks, "add", autospec=True, side_effect=maxmin.Ranks.add) as add:
        assert agrees(maxmin.select(make_task(zirconium, covariance, 60, earlier=state)), exact)
    assert add.call_count == 1 + 1 + 1 + 40  # nothing that exists, the start, 19 ranks at once, each that is new


def test_a_smaller_budget_is_a_prefix_that_costs_no_pass(zirconium, covariance):
    state = maxmin.select(make_task(zirconium, covariance, 60)).state
    shorter = maxmin.select(make_task(zirconium, covariance, 20, earlier=state))
    assert agrees(shorter, plain(zirconium, covariance, 20))
    assert (shorter.passes, shorter.state) == (0, None)


@pytest.mark.parametrize("start", [None, 3])
def test_a_pool_that_grew_keeps_the_ranks_that_are_still_right(zirconium, covariance, start):
    said = []
    state = maxmin.select(make_task(zirconium[:1400], covariance, 50, start=start)).state
    task = make_task(zirconium, covariance, 60, start=start, earlier=state, progress=said.append)
    expected = plain(zirconium, covariance, 60, start=start)
    assert agrees(maxmin.select(task), expected)
    same = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(state.candidates, expected[0], strict=False))
    right = len(list(same))
    assert right > 0
    assert said[0] == f"{right} ranks of an earlier selection are still right"


def features_of(layout: Layout, count: int, rng: np.random.Generator) -> np.ndarray:
    """Features of eight dimensions and some noise, each part of length one."""
    features = rng.random((count, 8)) @ rng.random((8, layout.dimension)) + 0.05 * rng.random((count, layout.dimension))
    for part in (*layout.soap, layout.composition, layout.pair):
        if part is not None:
            features[:, part] /= np.linalg.norm(features[:, part], axis=1, keepdims=True)
    return features.astype(np.float32)


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
    zeta=st.sampled_from([1, 2, 4, 0.2, 0.7]),
    budget=st.integers(1, 30),
    directions=st.integers(1, 12),
    sizes=st.tuples(*[st.integers(1, 20)] * 7),
    existing=st.integers(-3, 4),
    is_compiled=st.booleans(),
    seed=st.integers(0, 10**6),
)
def test_any_pool_however_held_gives_the_plain_order(
    kind, n, d, zeta, budget, directions, sizes, existing, is_compiled, seed
):
    rng = np.random.default_rng(seed)
    features, covariance = nasty(kind, n, d, rng), dot_product(d, zeta)
    vectors, _ = np.linalg.qr(rng.standard_normal((d - 1, min(directions, d - 1))))
    basis = Directions(covariance.layout, (vectors, np.ones((1, 1)))) if directions < 10 else None
    there = features[rng.integers(0, n, existing)] if existing > 0 else None
    with small_tiers(*sizes, is_compiled):
        selection = maxmin.select(make_task(features, covariance, budget, basis=basis, existing=there))
    assert agrees(selection, plain(features, covariance, budget, existing=there))


@QUICK
@given(
    kind=st.sampled_from(KINDS),
    n=st.integers(1, 60),
    grown=st.integers(0, 60),
    d=st.sampled_from([4, 12, 40]),
    budgets=st.tuples(*[st.integers(1, 30)] * 2),
    existing=st.integers(-3, 4),
    start=st.sampled_from([None, 0]),
    is_compiled=st.booleans(),
    seed=st.integers(0, 10**6),
)
def test_any_larger_pool_and_any_budget_gives_the_plain_order_from_any_earlier_end(
    kind, n, grown, d, budgets, existing, start, is_compiled, seed
):
    rng = np.random.default_rng(seed)
    features, covariance = nasty(kind, n + grown, d, rng), dot_product(d)
    given = {"start": start, "basis": Directions.of(features, covariance.layout)}
    given["existing"] = features[rng.integers(0, n, existing)] if existing > 0 else None
    with small_tiers(is_compiled=is_compiled):
        state = maxmin.select(make_task(features[:n], covariance, budgets[0], **given)).state
        selection = maxmin.select(make_task(features, covariance, budgets[1], earlier=state, **given))
    expected = plain(features, covariance, budgets[1], existing=given["existing"], start=start)
    assert agrees(selection, expected)


@pytest.mark.parametrize("seed", range(6))
def test_ties_that_only_rounding_breaks_are_settled_by_the_defining_computation(seed):
    features, covariance = nasty("equal but for rounding", 300, 40, np.random.default_rng(seed)), dot_product(40)
    expected = plain(features, covariance, 6)
    with small_tiers(front=8, sample=40):
        assert agrees(maxmin.select(make_task(features, covariance, 6)), expected)
    # The best of those that the matrix product cannot tell apart is another in some of these pools.
    ties = covariance.distance2(features, features[expected[0][0]])
    assert np.ptp(np.sort(ties)[-200:]) < covariance.rounding


def elements(n: int, kinds: int, seed: int) -> tuple[np.ndarray, Covariance]:
    """Features of n pure crystals of some elements, so that two are at D2 = 2 or are alike."""
    rng, layout = np.random.default_rng(seed), Layout(n_species=kinds, spectrum=5, pairs=5 * kinds)
    features = np.zeros((n, layout.dimension))
    for k, kind in enumerate(rng.integers(0, kinds, n)):
        features[k, layout.soap[kind]] = rng.random(5)
        features[k, layout.composition.start + kind] = 1
        features[k, layout.pair.start + 5 * kind : layout.pair.start + 5 * kind + 5] = rng.random(5)
    for part in (*layout.soap, layout.pair):
        features[:, part] /= np.maximum(np.linalg.norm(features[:, part], axis=1, keepdims=True), 1e-9)
    return features.astype(np.float32), Covariance(layout, KernelOptions())


@pytest.mark.parametrize("seed", range(4))
def test_of_candidates_without_a_common_element_the_first_is_chosen_whatever_single_precision_says(seed):
    features, covariance = elements(200, 4, seed)
    selection = maxmin.select(make_task(features, covariance, 12))
    kinds = features[:, covariance.layout.composition].argmax(axis=1)
    order = selection.candidates
    for rank in range(1, 4):
        assert order[rank] == np.flatnonzero(~np.isin(kinds, kinds[order[:rank]]))[0]
    assert agrees(selection, plain(features, covariance, 12))
    assert certificate(selection, features, covariance) is None
    # The same structures as another machine describes them: each number may be off by its last bit.
    up = np.random.default_rng(seed).random(features.shape) < 0.5
    other = np.where(up & (features > 0), np.nextafter(features, np.float32(2)), features)
    assert maxmin.select(make_task(other, covariance, 12)).candidates.tolist() == order.tolist()


def test_a_certificate_names_a_rank_that_another_of_equal_distance_precedes():
    features, covariance = elements(60, 4, 0)
    selection = maxmin.select(make_task(features, covariance, 4))
    kinds = features[:, covariance.layout.composition].argmax(axis=1)
    later = np.flatnonzero(kinds == kinds[selection.candidates[1]])[1]
    order = selection.candidates.copy()
    order[1] = later
    at = np.sqrt(covariance.distance2(features[[later]], features[order[0]]))
    given = {"candidates": order[:2], "distances": np.r_[selection.distances[0], at], "outside": selection.outside[:2]}
    wrong = first_wrong_rank(HeldPool(features), covariance, memory=64, **given | {"outside": np.r_[at, at]})
    assert wrong.rank == 1 and "smaller index" in wrong.reason


def test_copies_are_never_chosen_and_the_design_ends_with_them():
    features = np.repeat(np.eye(4, dtype=np.float32)[:3], 50, axis=0)
    selection = maxmin.select(make_task(features, dot_product(4), 20))
    assert sorted(selection.candidates.tolist()) == [0, 50, 100]
    np.testing.assert_allclose(selection.distances[1:], np.sqrt(2))
    assert selection.outside[-1] == 0


def test_a_pool_of_one_and_a_budget_beyond_the_pool():
    one = np.array([[1, 0, 0]], dtype=np.float32)
    selection = maxmin.select(make_task(one, dot_product(3), 5))
    assert (selection.candidates.tolist(), selection.outside.tolist()) == ([0], [0.0])
    three = np.array([[1, 0, 0], [0, 1, 0], [0.6, 0.8, 0]], dtype=np.float32)
    selection = maxmin.select(make_task(three, dot_product(3), 5))
    assert sorted(selection.candidates.tolist()) == [0, 1, 2]
    assert selection.outside[-1] == 0


def test_of_equally_far_candidates_the_first_is_chosen():
    features = np.eye(9, dtype=np.float32)[:8]
    selection = maxmin.select(make_task(features, dot_product(9), 8))
    assert selection.candidates.tolist() == list(range(8))


def test_memory_that_cannot_hold_the_bounds_is_refused_with_what_would(zirconium, covariance):
    task = make_task(zirconium, covariance, 5)
    with pytest.raises(InputError, match=r"selection\.memory: the bounds of 1500 .* fit 1 MiB; give it \d+\."):
        maxmin.select(replace(task, memory=1))


@QUICK
@given(
    kind=st.sampled_from(KINDS),
    zeta=st.sampled_from([1, 2, 3, 5, 8, 0.05, 0.3]),
    directions=st.integers(1, 12),
    seed=st.integers(0, 10**6),
)
def test_compressed_distances_are_within_their_stated_bound(kind, zeta, directions, seed):
    rng = np.random.default_rng(seed)
    features, covariance = nasty(kind, 12, 14, rng), dot_product(14, zeta)
    vectors, _ = np.linalg.qr(rng.standard_normal((13, directions)))
    basis = Directions(covariance.layout, (vectors, np.ones((1, 1))))
    compressed = CompressedCovariance(basis, covariance)
    rows = basis.compress(features)
    targets, own = compressed.targets(rows)
    found = compressed.own(rows)[:, None] + compressed.excess(rows, targets, own)
    exactly = np.array([covariance.distance2(features, row) for row in features]).T
    bound = compressed.error(rows, rows[:, compressed.residuals].max(axis=0))
    assert (np.abs(found - exactly) <= bound[:, None]).all()


@QUICK
@given(
    kind=st.sampled_from(KINDS),
    zeta=st.sampled_from([1, 2, 3, 5, 8, 0.05, 0.3]),
    directions=st.integers(1, 12),
    sample=st.integers(0, 12),
    seed=st.integers(0, 10**6),
)
def test_bounds_from_codes_are_above_every_distance(kind, zeta, directions, sample, seed):
    """Whether the codec has seen all, some or none of the pool, and whatever the code leaves out."""
    rng = np.random.default_rng(seed)
    features, covariance = nasty(kind, 12, 14, rng), dot_product(14, zeta)
    vectors, _ = np.linalg.qr(rng.standard_normal((13, directions)))
    basis = Directions.of(features[:sample], covariance.layout) if sample else None
    basis = basis or Directions(covariance.layout, (vectors, np.ones((1, 1))))
    coded, rows = CodedCovariance(basis.codec, covariance), basis.compress(features)
    exactly = np.array([covariance.distance2(features, row) for row in features])
    for codes in (basis.codec.encode(rows), basis.code(features)):
        assert codes.dtype == np.int16 and codes.shape == (12, basis.codec.dimension)
        decoded, own = basis.codec.decode(codes), coded.own(codes)
        assert (own + coded.excess(decoded, *coded.targets(rows)) >= exactly).all()
        assert (own + coded.tangent(decoded, coded.tangents(*coded.targets(rows))) >= exactly.min(axis=0)).all()
        for row, distances2 in zip(rows, exactly, strict=True):
            assert (own + coded.tangent(decoded, coded.tangents(*coded.targets(row[None]))) >= distances2).all()


def bounds_by(basis: Directions, covariance: Covariance, rows: np.ndarray, *, is_compiled: bool):
    """Return a function that bounds codes against compressed ranks: their Psi, ranks seen, and distances computed."""
    coded, compressed = CodedCovariance(basis.codec, covariance), CompressedCovariance(basis, covariance)
    dimensions = covariance.layout.dimension, rows.shape[1]
    ranks = Ranks(basis, compressed, coded, dimensions, len(rows), is_compiled=is_compiled)
    ranks.add(np.zeros((len(rows), dimensions[0]), np.float32), rows)

    def refresh(codes: np.ndarray, seen: np.ndarray, which: np.ndarray, floor: float):
        psi, seen = np.full(len(codes), np.inf, np.float32), seen.astype(np.int32)
        measured = ranks.refresh(codes, (coded.own(codes), psi, seen), which, floor)
        return psi, seen, measured

    return refresh


@QUICK
@given(
    kind=st.sampled_from(KINDS),
    zeta=st.sampled_from([1, 2, 3, 4, 5, 6, 8, 0.05, 0.3]),
    ranks=st.integers(1, 12),
    first=st.integers(0, 12),
    directions=st.integers(1, 12),
    seed=st.integers(0, 10**6),
)
def test_compiled_bounds_are_above_every_distance(kind, zeta, ranks, first, directions, seed):
    rng = np.random.default_rng(seed)
    features, covariance = nasty(kind, 12, 14, rng), dot_product(14, zeta)
    vectors, _ = np.linalg.qr(rng.standard_normal((13, directions)))
    basis = Directions(covariance.layout, (vectors, np.ones((1, 1))))
    rows = basis.compress(features)
    exactly = np.array([covariance.distance2(features, row) for row in features])
    with patch.object(tiers, "RANKS", ranks):
        refresh = bounds_by(basis, covariance, rows, is_compiled=True)
    psi, seen, measured = refresh(basis.code(features), np.full(12, first), np.arange(12), -np.inf)
    assert (seen == 12).all() and measured == 12 * (12 - first)
    assert (psi >= exactly[first:].min(axis=0, initial=np.inf)).all()


@pytest.mark.parametrize("n_species", [1, 2])
@pytest.mark.parametrize("soap", [{"zeta": 4}, {"zeta": 3}, {"form": "gaussian", "length": 0.4}])
def test_compiled_bounds_are_those_of_matrix_products(n_species, soap):
    """Of more candidates than are taken at once, some not asked for, which have seen some of the ranks or all."""
    rng = np.random.default_rng(n_species)
    layout = Layout(n_species=n_species, spectrum=30, pairs=20)
    features = features_of(layout, 5000, rng)
    covariance = Covariance(layout, KernelOptions(soap=soap))
    basis = Directions.of(features[:100], layout)
    rows, codes = basis.compress(features[:150]), basis.code(features)
    plainly, compiled = (bounds_by(basis, covariance, rows, is_compiled=is_compiled) for is_compiled in (False, True))
    which, seen = np.flatnonzero(rng.random(5000) < 0.9), rng.choice([0, 0, 7, 70, 149, 150], 5000)
    psi, last, measured = plainly(codes, seen, which, -np.inf)
    again, after, counted = compiled(codes, seen, which, -np.inf)
    np.testing.assert_allclose(again, psi, rtol=0, atol=5e-6)
    assert np.array_equal(after, last) and measured == counted
    floor = float(np.median(psi[which]))
    early, last, measured = plainly(codes, seen, which, floor)
    again, after, counted = compiled(codes, seen, which, floor)
    decided = abs(psi - floor) > 1e-5
    assert counted == pytest.approx(measured, rel=1e-2) and measured < (150 - seen[which]).sum()
    assert np.array_equal((again >= floor)[decided], (early >= floor)[decided])
    assert (again >= psi - 5e-6).all()


def test_bounds_from_codes_of_strained_zirconium_are_close(zirconium, covariance):
    basis = Directions.of(zirconium[:500], covariance.layout)
    coded, rows = CodedCovariance(basis.codec, covariance), basis.compress(zirconium)
    codes, targets = basis.codec.encode(rows), rows[:20]
    assert codes.nbytes < rows.nbytes / 2
    exactly = np.array([covariance.distance2(zirconium, row) for row in zirconium[:20]])
    decoded, own = basis.codec.decode(codes), coded.own(codes)
    above = own + coded.excess(decoded, *coded.targets(targets)) - exactly
    assert above.min() >= 0 and np.median(above) < 0.01
    near = exactly.min(axis=0) < 0.05
    above = (own + coded.tangent(decoded, coded.tangents(*coded.targets(targets))) - exactly.min(axis=0))[near]
    assert above.min() >= 0 and np.median(above) < 0.01


def test_codes_in_files_and_codes_made_on_the_way_give_the_same_design(zirconium, covariance, exact, tmp_path):
    Directions.of(zirconium[:500], covariance.layout).write(tmp_path / "basis.npz")
    basis = Directions.read(tmp_path / "basis.npz", covariance.layout)
    rows = basis.compress(zirconium)
    codes = basis.codec.encode(rows)
    assert np.array_equal(codes, np.vstack([basis.codec.encode(part) for part in np.array_split(rows, 7)]))
    compressed, cuts = open_pool(tmp_path / "compressed", rows, [400, 900]), [100, 1300]
    for held in (open_pool(tmp_path / "codes", codes, cuts), HeldPool(codes), None):
        task = make_task(zirconium, covariance, 60, basis=basis, compressed=compressed, codes=held)
        assert agrees(maxmin.select(task), exact)
        with small_tiers(), patch.object(maxmin, "hold", lambda pool, memory: pool):
            assert agrees(maxmin.select(task), exact)


@pytest.mark.parametrize("kept", [0, 64])
def test_features_may_be_compressed_when_they_are_asked_for(zirconium, covariance, exact, kept):
    basis = Directions.of(zirconium[:500], covariance.layout)
    with patch.object(compression, "KEPT", kept):
        pool = compression.CompressedPool(HeldPool(zirconium), basis)
    rows = basis.compress(zirconium)
    assert np.array_equal(pool.block(3, 70), rows[3:70])
    for _ in range(2):
        np.testing.assert_allclose(pool.rows([5, 1400, 5, 0]), rows[[5, 1400, 5, 0]], atol=1e-6)
    codes = HeldPool(compression.code_all(HeldPool(zirconium), basis, threads=2))
    assert agrees(maxmin.select(make_task(zirconium, covariance, 60, basis=basis, compressed=pool, codes=codes)), exact)


def test_what_is_read_is_counted(zirconium, tmp_path):
    pool = open_pool(tmp_path, zirconium, [700])
    assert pool.bytes_read == 0
    pool.rows([3, 1200])
    pool.block(700, 800)
    assert pool.bytes_read == 102 * zirconium.shape[1] * 4


def test_near_ties_are_settled_once_however_often_they_come_up(zirconium, covariance, exact, tmp_path):
    """Where bounds tell next to nothing, all of the pool is read a few times, and not anew for each of 60 ranks."""
    fine = Directions.of(zirconium[:500], covariance.layout)
    coarse = Directions(fine.layout, tuple(vectors[:, :4] for vectors in fine.directions))
    given = {"basis": coarse, "compressed": HeldPool(coarse.compress(zirconium))}
    task = replace(make_task(zirconium, covariance, 60, **given), pool=open_pool(tmp_path, zirconium, [700]))
    assert agrees(maxmin.select(task), exact)
    assert task.pool.bytes_read < 5 * zirconium.nbytes
    with patch.object(maxmin, "SETTLED", 0):
        assert agrees(maxmin.select(task), exact)
    assert task.pool.bytes_read < 10 * zirconium.nbytes


@pytest.mark.parametrize("n_species", [1, 2])
def test_compressed_distances_of_whole_features_with_composition(n_species):
    rng = np.random.default_rng(n_species)
    layout = Layout(n_species=n_species, spectrum=30, pairs=20)
    features = features_of(layout, 25, rng)
    covariance = Covariance(layout, KernelOptions())
    for basis in (Directions.of(features[:5], layout), Directions.of(features, layout)):
        compressed, rows = CompressedCovariance(basis, covariance), basis.compress(features)
        targets, own = compressed.targets(rows)
        found = compressed.own(rows)[:, None] + compressed.excess(rows, targets, own)
        exactly = np.array([covariance.distance2(features, row) for row in features]).T
        bound = compressed.error(rows, rows[:, compressed.residuals].max(axis=0))
        assert (np.abs(found - exactly) <= bound[:, None]).all()
        coded = CodedCovariance(basis.codec, covariance)
        for codes in (basis.codec.encode(rows), basis.code(features)):
            above = coded.own(codes) + coded.excess(basis.codec.decode(codes), *coded.targets(rows)) - exactly.T
            assert above.min() >= 0
    assert bound.max() < 10 * RESIDUAL


def test_directions_are_orthonormal_and_leave_next_to_nothing_of_their_sample(zirconium, covariance):
    basis = Directions.of(zirconium[:400], covariance.layout)
    for vectors, part in zip(basis.directions, (*covariance.layout.soap, covariance.layout.pair), strict=True):
        np.testing.assert_allclose(vectors.T @ vectors, np.eye(vectors.shape[1]), atol=1e-12)
        sample = zirconium[:400, part].astype(float)
        left = sample - sample @ vectors @ vectors.T
        assert (left**2).sum(axis=1).max() < 1.01 * RESIDUAL
    rows = basis.compress(zirconium)
    assert rows.dtype == np.float32
    assert rows.shape[1] < zirconium.shape[1]


def test_structures_that_are_much_alike_are_not_blurred():
    rng = np.random.default_rng(3)
    layout = Layout(n_species=1, spectrum=40, pairs=0)
    features = 1 + 1e-3 * rng.standard_normal((300, 40))
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    distances2 = ((features[:, None] - features) ** 2).sum(axis=-1) + np.diag(np.full(300, np.inf))
    (vectors, _) = Directions.of(features, layout).directions
    left = features - features @ vectors @ vectors.T
    assert (left**2).sum(axis=1).max() < 0.05 * np.median(distances2.min(axis=1)) < RESIDUAL / 10


def test_a_basis_written_and_read_compresses_to_the_same_bits(zirconium, covariance, tmp_path):
    basis = Directions.of(zirconium[:300], covariance.layout)
    basis.write(tmp_path / "basis.npz")
    again = Directions.read(tmp_path / "basis.npz", covariance.layout)
    assert again.compress(zirconium).tobytes() == basis.compress(zirconium).tobytes()
    content = (tmp_path / "basis.npz").read_bytes()
    (tmp_path / "basis.npz").write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match="not complete"):
        Directions.read(tmp_path / "basis.npz", covariance.layout)


def test_a_pool_is_held_only_if_it_fits(zirconium, tmp_path):
    pool = open_pool(tmp_path, zirconium, (700,))
    assert isinstance(hold(pool, 64), HeldPool)
    assert zirconium.nbytes > 2**20 / 3
    assert hold(pool, 1) is pool
    held = hold(pool, 64)
    assert np.array_equal(held.rows([3, 1400]), zirconium[[3, 1400]])
    assert np.array_equal(np.concatenate([block for _, block in held.blocks(97)]), zirconium)


def certificate(selection: Selection, features, covariance, **changed):
    given = {"candidates": selection.candidates, "distances": selection.distances, "outside": selection.outside}
    return first_wrong_rank(HeldPool(features), covariance, memory=64, **given | changed)


def test_the_certificate_of_an_exact_design_holds(zirconium, covariance, selected):
    assert certificate(selected, zirconium, covariance) is None
    one = maxmin.select(make_task(zirconium, covariance, 1))
    assert certificate(one, zirconium, covariance) is None
    existing = zirconium[:7]
    continued = maxmin.select(make_task(zirconium, covariance, 9, existing=existing))
    assert certificate(continued, zirconium, covariance, existing=existing) is None


def test_a_certificate_that_is_not_true_names_the_first_wrong_rank(zirconium, covariance, selected):
    order = selected.candidates
    swapped = order.copy()
    swapped[[20, 21]] = order[[21, 20]]
    assert certificate(selected, zirconium, covariance, candidates=swapped).rank == 20
    twice = order.copy()
    twice[31] = order[3]
    assert certificate(selected, zirconium, covariance, candidates=twice).rank == 31
    near = selected.distances.copy()
    near[7] += 1e-9
    assert certificate(selected, zirconium, covariance, distances=near).rank == 7
    blind = selected.outside.copy()
    blind[12] -= 1e-9
    assert certificate(selected, zirconium, covariance, outside=blind).rank == 12
    # One candidate of the pool overlooked: the greedy order of all others, with the distances it really has.
    overlooked = int(order[5])
    others = np.delete(np.arange(len(zirconium)), overlooked)
    rest = maxmin.select(make_task(zirconium[others], covariance, 20, start=int(np.searchsorted(others, order[0]))))
    assert certificate(rest, zirconium, covariance, candidates=others[rest.candidates]).rank in (4, 5)


def test_the_papers_square_is_filled_coarse_to_fine():
    """BR appendix B: 41 x 41 points on [-1, 1]^2, whose max-min order refines a grid.

    A Gaussian kernel is monotonous in the Euclidean distance, so it has the same max-min designs; its features
    are Gaussians on a coarse grid. Corners come first, then the centre, the midpoints of the edges, and so on
    down to a grid of 5 x 5, each level at a distance that geometry tells. The kernel is wide enough for the corners:
    what is orthogonal to single precision is equally far.
    """
    length = 0.7
    axis = np.mgrid[-1:1.025:0.05]
    grid = np.arange(-4, 4, 0.8 * length / np.sqrt(2))
    smeared = np.exp(-((axis[:, None] - grid) ** 2) / length**2)
    features = np.einsum("ia,jb->ijab", smeared, smeared).reshape(41 * 41, -1)
    features = np.hstack([features, np.zeros((len(features), 1))])
    features = (features / np.linalg.norm(features, axis=1, keepdims=True)).astype(np.float32)
    shuffle = np.random.default_rng(0).permutation(41 * 41)
    selection = maxmin.select(make_task(features[shuffle], dot_product(features.shape[1]), 25))

    points = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)[shuffle][selection.candidates]
    euclidean = [np.sqrt(8), 2, 2, np.sqrt(2), *[1] * 4, *[np.sqrt(0.5)] * 4, *[0.5] * 12]
    np.testing.assert_allclose(np.abs(points[:4]), 1, atol=1e-9)
    np.testing.assert_allclose(points[4], 0, atol=1e-9)
    found = [np.linalg.norm(points[:k] - points[k], axis=1).min() for k in range(1, 25)]
    np.testing.assert_allclose(found, euclidean, atol=1e-9)
    expected = np.sqrt(2 - 2 * np.exp(-np.square(euclidean) / (2 * length**2)))
    np.testing.assert_allclose(selection.distances[1:], expected, atol=1e-5)


def test_the_mean_descriptor_is_the_mean_scaled_and_the_same_however_the_pool_is_cut(zirconium, covariance):
    mean = mean_of(zirconium, covariance)
    expected = zirconium.astype(float).mean(axis=0)
    layout = covariance.layout
    for part in (*layout.soap, layout.pair):
        expected[part] /= np.linalg.norm(expected[part])
    np.testing.assert_allclose(mean, expected, atol=1e-7)
    for cuts in ((1,), (500, 1000), range(100, 1500, 100)):
        sums = sum(total(zirconium[a:b]) for a, b in itertools.pairwise([0, *cuts, 1500]))
        assert mean_descriptor(sums, 1500, layout).tobytes() == mean.tobytes()


def test_distances_down_a_design_are_to_the_nearest_before(zirconium, covariance):
    rows = zirconium[:8]
    expected = [0.5] + [
        np.sqrt(min(covariance.distance2(rows[j : j + 1], rows[k])[0] for j in range(k))) for k in range(1, 8)
    ]
    assert descending(rows, covariance, 0.5).tolist() == expected


POINTS = nasty("random", 40, 4, np.random.default_rng(0))


def draw(seed, budget: int, size: int = 40, **given) -> list[int]:
    points = POINTS[:size]
    task = Task(
        pool=HeldPool(points), covariance=dot_product(4), mean=points[0], budget=budget, seed=str(seed), **given
    )
    return RandomMethod.select(task).candidates.tolist()


def test_every_ordered_draw_is_equally_likely():
    draws = [tuple(draw(seed, 2, size=7)) for seed in range(2100)]
    assert all(first != second for first, second in draws)
    counts = [draws.count(pair) for pair in itertools.permutations(range(7), 2)]
    assert sum(counts) == 2100
    assert stats.chisquare(counts).pvalue > 1e-3


def test_prefixes_of_a_random_design_are_its_smaller_designs_without_repeats():
    whole = draw("RND1", 40)
    assert sorted(whole) == list(range(40))
    assert whole != sorted(whole)
    for budget in (1, 5, 39):
        assert draw("RND1", budget) == whole[:budget]
    assert draw("RND2", 40) != whole


def test_a_pool_that_grows_keeps_the_random_order_of_its_old_candidates():
    for seed in range(20):
        assert [k for k in draw(seed, 40) if k < 7] == draw(seed, 7, size=7)


def test_random_distances_are_those_to_the_ranks_before():
    covariance = dot_product(4)
    mean = mean_of(POINTS, covariance)
    selection = RandomMethod.select(Task(pool=HeldPool(POINTS), covariance=covariance, mean=mean, budget=6, seed="0"))
    rows = POINTS[selection.candidates]
    assert selection.distances[0] == np.sqrt(covariance.distance2(rows[:1], mean)[0])
    for k in range(1, 6):
        assert selection.distances[k] == np.sqrt(covariance.distance2(rows[:k], rows[k]).min())
    assert selection.outside is None


def test_a_random_design_passes_over_copies_of_what_exists():
    whole = draw("RND1", 40)
    continued = draw("RND1", 10, existing=POINTS[whole[:3]])
    assert continued == whole[3:13]
    task = Task(
        pool=HeldPool(POINTS), covariance=dot_product(4), mean=POINTS[0], budget=2, existing=POINTS[:5], seed="1"
    )
    selection = RandomMethod.select(task)
    for k, candidate in enumerate(selection.candidates):
        before = np.concatenate([POINTS[:5], POINTS[selection.candidates[:k]]])
        assert selection.distances[k] == np.sqrt(dot_product(4).distance2(before, POINTS[candidate]).min())


@pytest.mark.parametrize(("memory", "dimension", "budget"), [(64, 654, 500), (1024, 654, 100), (4096, 20000, 10)])
def test_a_block_and_its_products_fit_the_memory(memory, dimension, budget):
    rows = block_rows(memory, dimension, budget)
    assert rows >= 64
    assert rows * (8 * dimension + 3 * 8 * budget) < memory * 2**20


def test_frames_are_the_structures_chosen_with_what_is_known_of_them(tmp_path):
    batch = sample(PoolOptions().sampling, prototypes(ZIRCONIUM), seed=1, pool="B", start=0, stop=9)
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
