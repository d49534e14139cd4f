"""Polishing: points on a circle whose best places are known, brute force over a grid, strained crystals, mistakes."""

import copy

import numpy as np
import pytest

from conftest import SMALL
from gapdesign.config import study as config
from gapdesign.descriptors.covariance import Covariance, Layout
from gapdesign.descriptors.kernel import KernelOptions
from gapdesign.errors import InputError
from gapdesign.methods import METHODS
from gapdesign.methods.d_optimal.optimality import Determinant, log_det
from gapdesign.methods.maxmin.spread import Spread
from gapdesign.methods.polish import PolishOptions, polish
from gapdesign.methods.shared.coordinates import Trials, exchange
from gapdesign.methods.shared.distance import copies, descending, down_the_features
from gapdesign.prototypes import prototypes
from gapdesign.samplers import SAMPLERS, sample
from gapdesign.samplers.shared.constraints import refusals
from gapdesign.samplers.shared.space import Space
from toy_pools import COVARIANCE, features, task

CIRCLE = Covariance(
    Layout(n_species=1, spectrum=1, pairs=2), KernelOptions(soap={"scale": 0.0, "zeta": 1}, pair={"scale": 1.0})
)
QUARTER = np.pi / 2


def on_circle(points: np.ndarray) -> np.ndarray:
    """Features of parameters (n, 1) in [0, 1]: a quarter of a circle, on which D = 2 sin(angle / 2)."""
    angles = QUARTER * np.asarray(points, float).reshape(-1)
    return np.column_stack([np.ones_like(angles), np.cos(angles), np.sin(angles)]).astype(np.float32)


def spread(points, existing, *, values: int = 5, refinements: int = 0, sweeps: int = 50):
    """Parameters of a polished design on the circle, and its criterion."""
    points = np.array(points, float).reshape(-1, 1)
    criterion = Spread(on_circle(points), on_circle(existing), CIRCLE)
    given = {"grid": np.linspace(0, 1, values), "refinements": refinements, "sweeps": sweeps}
    found = exchange(criterion, points, lambda _, x: Trials(np.arange(len(x)), on_circle(x)), **given)
    assert np.array_equal(criterion.features, on_circle(found))
    return found[:, 0], criterion


@pytest.mark.parametrize(("there", "end"), [(0.3, 1.0), (0.8, 0.0)])
def test_one_structure_beside_an_existing_one_goes_to_the_far_end(there, end):
    found, criterion = spread([0.5], [there])
    assert found.tolist() == [end]
    assert criterion.value() == pytest.approx(2 * np.sin(abs(end - there) * QUARTER / 2), rel=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_three_structures_spread_to_both_ends_and_the_middle(seed):
    found, criterion = spread(np.random.default_rng(seed).random(3), [], values=9, refinements=20)
    np.testing.assert_allclose(np.sort(found), [0, 0.5, 1], atol=2e-5)
    assert criterion.value() == pytest.approx(2 * np.sin(QUARTER / 4), rel=1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_a_move_is_the_best_of_the_grid_by_brute_force_and_no_smallest_distance_ever_falls(seed):
    rng = np.random.default_rng(seed)
    points, existing = rng.random(5), rng.random(seed % 3)

    def distances(of: np.ndarray) -> np.ndarray:
        """All distances of two structures, not both of them existing, in order."""
        angles = QUARTER * np.concatenate([of, existing])
        pairs = [(a, b) for a in range(5) for b in range(a + 1, len(angles))]
        return np.sort([2 * np.sin(abs(angles[a] - angles[b]) / 2) for a, b in pairs])

    grid, now = np.linspace(0, 1, 11), points.copy()
    for place in range(5):
        others = np.delete(np.concatenate([now, existing]), place)
        nearest = np.abs(grid[:, None] - others).min(axis=1)
        before = distances(now)
        criterion = Spread(on_circle(now), on_circle(existing), CIRCLE)
        assert criterion.value() == pytest.approx(before[0], abs=1e-6)
        best = criterion.better(place, on_circle(grid))
        if np.abs(now[place] - others).min() >= nearest.max() - 1e-6:
            assert best is None
            continue
        assert nearest[best] == pytest.approx(nearest.max(), abs=1e-6)
        now[place] = grid[best]
        after = distances(now)
        changed = np.flatnonzero(np.abs(after - before) > 1e-9)[0]
        assert after[changed] > before[changed]
    found, _ = spread(points, existing, values=11)
    assert distances(found)[0] >= distances(points)[0] - 1e-7


@pytest.mark.parametrize("seed", range(3))
def test_a_determinant_is_that_of_the_definition_and_its_best_trial_that_of_brute_force(seed):
    rng = np.random.default_rng(seed)
    members, existing, trials = rng.normal(size=(6, 3)), rng.normal(size=(seed, 3)), rng.normal(size=(20, 3))
    criterion = Determinant(members, existing, lambda rows: rows[:, :2])

    def value(rows: np.ndarray) -> float:
        return log_det(np.concatenate([existing, rows])[:, :2])

    assert criterion.value() == pytest.approx(value(members))
    for place in range(6):
        best = criterion.better(place, trials)
        values = [value(np.concatenate([members[:place], trial[None], members[place + 1 :]])) for trial in trials]
        if max(values) <= value(members):
            assert best is None
            continue
        assert best == np.argmax(values)
        criterion.move(place, trials[best])
        members[place] = trials[best]
        assert criterion.value() == pytest.approx(max(values))


def test_copies_are_those_at_no_distance():
    rows = features(6)
    assert copies(rows[:4], rows[[2, 5, 0]], COVARIANCE).tolist() == [True, False, True, False]
    assert copies(rows[:2], rows[:0], COVARIANCE).tolist() == [False, False]
    near = rows[:1] + np.float32(3e-4)
    assert copies(near, rows, COVARIANCE).tolist() == [False]


def test_distances_down_a_design_of_any_features_are_those_of_its_pool():
    rows = features(20)
    job = task(rows, 4, existing=rows[10:12])
    found = down_the_features(job, rows[[3, 1, 7]])
    assert found.tolist() == descending(rows[[10, 11, 3, 1, 7]], COVARIANCE, 0.0)[2:].tolist()


CRYSTALS = {
    "hcp": {"element": "Zr", "lattice": "hcp", "a": 3.232, "c": 5.147},
    "bcc": {"element": "Zr", "lattice": "bcc", "a": 3.574},
}


def pool_of(sampler: str, options: dict, constraints: dict | None = None):
    """A study with a pool of a sampler, its crystals, and its candidates."""
    pools = {"names": ["A"], "size": 40, "sampler": sampler, sampler: options, "constraints": constraints or {}}
    designs = {"OPT": {"pool": "A", "method": "maxmin", "polish": True}}
    study = config.parse(copy.deepcopy(SMALL) | {"prototypes": CRYSTALS, "pools": pools, "designs": designs})
    crystals = prototypes(study.prototypes)
    sampling = study.pools.of("A").sampling
    batch = sample(sampling, crystals, seed=study.seed, pool="A", start=0, stop=40)
    return study, Space(sampling, crystals, seed=study.seed, pool="A"), batch


CONTINUOUS = sorted(name for name, sampler in SAMPLERS.items() if sampler.is_continuous)


def test_deforming_samplers_are_continuous_and_no_others():
    assert CONTINUOUS == ["strain", "strain_components", "volume"]


@pytest.mark.parametrize("sampler", CONTINUOUS)
def test_candidates_are_the_structures_at_their_points_whatever_was_refused_before(sampler):
    _, space, batch = pool_of(sampler, {}, {"density": [5.5, 7.5], "redraws": 1000})
    assert batch.attempts.max() > 0
    rows = [7, 3, 30, *np.flatnonzero(batch.attempts)[:5]]
    some = batch.take(rows)
    points = space.points(some)
    made = space.at(some.prototypes, points)
    assert np.array_equal(made.cells, some.cells) and np.array_equal(made.positions, some.positions)
    assert made.numbers.tolist() == some.numbers.tolist() and made.names == some.names
    assert space.allowed(made).all()
    assert ((points >= 0) & (points < 1)).all()


def test_structures_of_another_pool_have_no_points():
    _, space, batch = pool_of("strain", {"max": 0.1})
    with pytest.raises(InputError, match="--candidates: their structures are not those of the configuration of pool A"):
        space.points(pool_of("strain", {"max": 0.2})[2])
    assert len(space.points(batch)) == 40


@pytest.mark.parametrize("method", ["maxmin", "d_optimal"])
def test_polished_crystals_keep_prototypes_bounds_and_constraints_and_are_no_worse(method):
    constraints = {"max_strain": 0.09, "density": [5.0, 8.0], "redraws": 1000}
    study, space, batch = pool_of("strain", {"max": 0.12}, constraints)
    describe = _descriptor(study)
    rows = describe(batch)
    job = task(rows, 6, covariance=study.covariance(), existing=rows[20:22])
    chosen, covariance = batch.take(range(6)), study.covariance()
    criterion = METHODS[method].criterion(job, rows[:6])
    lines: list[str] = []
    found = polish(criterion, space, chosen, describe, covariance, PolishOptions(sweeps=2, refinements=1), lines.append)
    told = found.summary
    assert told.before == METHODS[method].criterion(job, rows[:6]).value()
    assert told.after == METHODS[method].criterion(job, describe(found.batch)).value()
    assert told.after > told.before and found.moved.all() and (told.moved, told.ranks) == (6, 6)
    assert np.array_equal(criterion.features, describe(found.batch))
    assert found.batch.prototypes.tolist() == chosen.prototypes.tolist()
    assert ((found.points >= 0) & (found.points <= 1)).all()
    assert (refusals(found.batch, study.pools.constraints) < 0).all()
    for place in range(6):
        assert not copies(criterion.features[[place]], criterion.others(place), covariance).any()
    # A grid of one sweep tries as many structures as it has places, but for those that are refused.
    assert 6 * 6 * 9 < told.described <= 6 * 6 * 9 * 4
    assert len(lines) == 3


def test_a_volume_beside_an_existing_crystal_is_the_best_of_all_volumes():
    study, space, batch = pool_of("volume", {})
    describe, covariance = _descriptor(study), study.covariance()
    rows = describe(batch)
    mine = batch.take([0])
    criterion = Spread(rows[:1], rows[1:2], covariance)
    found = polish(criterion, space, mine, describe, covariance, PolishOptions(values=21, refinements=6))
    fine = np.linspace(0, 1, 501)[:, None]
    all_volumes = describe(space.at(np.full(501, mine.prototypes[0]), fine))
    best = np.sqrt(covariance.distance2(all_volumes, rows[1]).max())
    assert found.summary.after == pytest.approx(best, rel=1e-4)


def _descriptor(study):
    from gapdesign.descriptors import Descriptor

    return Descriptor(study.descriptor, study.kernel.pair.shape, study.species()).features


DESIGN = {"pool": "A", "method": "maxmin", "polish": True}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"designs": {"D": DESIGN | {"method": "random"}}}, r"designs.D.polish: nothing that 'random' .*; choose "),
        ({"designs": {"D": DESIGN}, "kernel": {"structure": "rematch"}}, "designs.D.polish: .* 'rematch' by their env"),
        ({"designs": {"D": DESIGN | {"budget": {"core_hours": 1.0}}}}, "designs.D.polish: moved structures have other"),
        ({"designs": {"D": DESIGN | {"budget": 1}}}, "designs.D.polish: a single structure has no other"),
        ({"designs": {"D": DESIGN | {"rounds": 2}}}, "`polish` is for designs .* before any label, and `rounds` needs"),
        ({"designs": {"D": DESIGN | {"polish": {"values": 1}}}}, "designs.D.polish.values: "),
        ({"designs": {"D": DESIGN | {"polish": {"grid": 3}}}}, "designs.D.polish.grid"),
        ({"designs": {"D": DESIGN | {"polish": "yes"}}}, "designs.D.polish"),
        (
            {"designs": {"D": DESIGN}, "pools": SMALL["pools"] | {"sampler": "rattle"}},
            "designs.D.polish: candidates of pool A, by the sampler 'rattle', have no .* strain or ",
        ),
        (
            {"designs": {"D": DESIGN}, "pools": SMALL["pools"] | {"sampler": "mixture", "mixture": {"strain": 1.0}}},
            "designs.D.polish: candidates of pool A, by the sampler 'mixture'",
        ),
    ],
)
def test_what_cannot_be_polished_is_refused_by_its_key(changes, message):
    with pytest.raises(InputError, match=message):
        config.check(config.parse(copy.deepcopy(SMALL) | changes))


def test_true_stands_for_the_defaults_and_false_for_none():
    designs = {"T": DESIGN, "F": DESIGN | {"polish": False}, "N": {"pool": "A", "method": "maxmin"}}
    study = config.parse(copy.deepcopy(SMALL) | {"designs": designs})
    assert study.designs["T"].polish == PolishOptions()
    assert study.polished() == ["T"]
    assert study.designs["F"].model_dump() == study.designs["N"].model_dump()
    assert "polish" not in study.designs["N"].model_dump()
    assert study.subpools("T") == [] != study.subpools("N")


def test_polished_designs_are_compared_as_those_of_a_method_of_their_own_and_not_replayed():
    from gapdesign.methods import is_baseline
    from gapdesign.replay.requirements import check
    from gapdesign.report.words import method_name

    study = config.parse(copy.deepcopy(SMALL) | {"designs": {"T": DESIGN, "N": {"pool": "A", "method": "maxmin"}}})
    assert study.methods() == {"T": "polished maxmin", "N": "maxmin"}
    assert [method_name(method) for method in study.methods().values()] == ["polished max-min", "max-min"]
    assert not is_baseline("polished maxmin")
    with pytest.raises(InputError, match=r"replay: .* leave out the `polish` of T for a replay"):
        check(study)


def test_a_pool_is_enlarged_by_polished_designs_and_only_by_them():
    import pandas as pd
    from ase import Atoms

    from gapdesign.quality.moved import Enlarged, Moved
    from gapdesign.shards import HeldPool

    rows = features(7)
    frames = [[Atoms(info={"candidate": candidate}) for candidate in began] for began in ((3, 1), (0, 4, 2))]
    moved = {"X": Moved(frames[0], rows[5:]), "Y": Moved(frames[1], rows[:3][::-1])}
    pool = Enlarged(HeldPool(rows[:5]), moved)
    assert (pool.size, pool.dimension) == (5, rows.shape[1])
    assert {name: members.tolist() for name, members in pool.members.items()} == {"X": [5, 6], "Y": [7, 8, 9]}
    assert np.array_equal(pool.rows([8, 0, 5, 4]), rows[[1, 0, 5, 4]])
    table = pd.DataFrame({"candidate": [0, 5, 6, 9, 4]})
    assert pool.begun(table)["candidate"].tolist() == [0, 3, 1, 2, 4]
    assert Enlarged(HeldPool(rows), {}).begun(table) is table
