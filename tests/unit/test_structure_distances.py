"""Distances of structures with many environments: closed forms, limits, symmetries; designs by them: brute force."""

import copy
import gzip
import itertools
import json
import math
import os
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.io import read
from scipy.optimize import linear_sum_assignment
from scipy.spatial.transform import Rotation

from conftest import ROOT, SMALL
from gapdesign import cli, progress
from gapdesign.config import study as config
from gapdesign.config.part import At
from gapdesign.descriptors import Descriptor
from gapdesign.descriptors.covariance import Covariance, Layout, first_farthest
from gapdesign.descriptors.environments import EnvironmentPool, Environments, on_grid, write_environments
from gapdesign.descriptors.kernel import KernelOptions, PairKernelOptions
from gapdesign.descriptors.options import DescriptorOptions
from gapdesign.descriptors.rematch import match
from gapdesign.descriptors.similarity import Power
from gapdesign.descriptors.structure_distances import Recent, StructurePool, similarities
from gapdesign.errors import InputError
from gapdesign.methods import Selection, Task
from gapdesign.methods.maxmin import MaxminMethod, exhaustive, lazy
from gapdesign.methods.maxmin.compression import Directions
from gapdesign.methods.random import RandomMethod
from gapdesign.methods.shared.distance import mean_descriptor, total
from gapdesign.prototypes import PrototypeOptions, prototypes
from gapdesign.samplers import sample
from gapdesign.samplers.options import PoolOptions
from gapdesign.shards import HeldPool, shard_path
from gapdesign.streams import stream
from gapdesign.structures import pack

DISTANCES = ["rematch", "environment"]
SOAP = DescriptorOptions(soap={"r_cut": 4.0, "n_max": 4, "l_max": 4, "sigma": 0.5})
PAIR = PairKernelOptions(r_cut=4.0)


def kernel(structure: str, **given) -> KernelOptions:
    return KernelOptions(structure=structure, pair=PAIR, **given)


def described(frames, species, structure, *, orbits=None, **given) -> StructurePool:
    """Structures as a distance sees them; multi-element SOAP where there are several species."""
    descriptor = Descriptor(SOAP, PAIR, species)
    features, environments = descriptor.features_and_environments(pack(frames, orbits=orbits))
    options = kernel(structure, **given)
    return StructurePool(HeldPool(features), environments, Covariance(descriptor.layout, options), options)


def between(pool: StructurePool, p: int, q: int) -> float:
    return pool.psi(pool[p], [pool[q]])


# The match.


@pytest.mark.parametrize("gamma", [0.01, 0.03, 0.1, 1.0, 10.0])
def test_a_match_of_two_with_two_is_its_closed_form(gamma):
    """P is fixed by its upper left corner x: x (1 - a - b + x) = e (a - x) (b - x), where e is the odds ratio."""
    generator = np.random.default_rng(5)
    for _ in range(20):
        c, (a, b) = generator.uniform(0, 1, (2, 2)), generator.uniform(0.2, 0.8, 2)
        odds = np.exp((c[0, 0] + c[1, 1] - c[0, 1] - c[1, 0]) / gamma)
        low, high = max(0, a + b - 1), min(a, b)
        for _ in range(100):
            x = (low + high) / 2
            low, high = (x, high) if x * (1 - a - b + x) < odds * (a - x) * (b - x) else (low, x)
        plan = np.array([[x, a - x], [b - x, 1 - a - b + x]])
        found = match(c, np.array([a, 1 - a]), np.array([b, 1 - b]), gamma=gamma, tolerance=1e-12)
        assert found == pytest.approx((plan * c).sum(), abs=1e-8)


def uniform(n: int) -> np.ndarray:
    return np.full(n, 1 / n)


def test_a_large_gamma_gives_the_mean_of_all_similarities():
    c = np.random.default_rng(1).uniform(0, 1, (7, 4))
    assert match(c, uniform(7), uniform(4), gamma=1e8, tolerance=1e-13) == pytest.approx(c.mean(), abs=1e-8)


@pytest.mark.parametrize("seed", range(8))
def test_a_small_gamma_gives_the_best_match(seed):
    """Entropies of plans with shares 1 / n lie between log n and 2 log n: so much gamma may cost."""
    n = 9
    c = np.random.default_rng(seed).uniform(0, 1, (n, n))
    rows, columns = linear_sum_assignment(c, maximize=True)
    best, previous = c[rows, columns].mean(), np.inf
    for gamma in (1.0, 0.1, 0.03, 0.01, 0.005):
        lost = best - match(c, uniform(n), uniform(n), gamma=gamma, tolerance=1e-11)
        assert -1e-9 <= lost <= gamma * math.log(n)
        assert lost < previous
        previous = lost
    assert lost < 0.01


def test_newton_steps_find_what_sweeps_alone_find():
    """Two groups that hardly see each other."""
    c = np.kron([[0.9, 0.2], [0.3, 0.8]], np.ones((5, 5))) + 0.2 * np.random.default_rng(2).random((10, 10))
    a, b, gamma = uniform(10), uniform(10), 0.1
    weight, u = np.exp(c / gamma), np.ones(10)
    sweeps, error = 0, 1.0
    while error > 1e-13:
        v = b / (u @ weight)
        error, u, sweeps = np.abs(u * (weight @ v) - a).sum(), a / (weight @ v), sweeps + 1
    assert sweeps > 200, "this match was to be a slow one"
    expected = ((u[:, None] * weight * v) * c).sum()
    assert match(c, a, b, gamma=gamma, tolerance=1e-12) == pytest.approx(expected, abs=1e-10)


def test_a_repeated_environment_is_one_with_a_larger_share():
    c = np.random.default_rng(3).uniform(0, 1, (4, 3))
    times = np.array([2, 1, 3, 1])
    many = match(np.repeat(c, times, axis=0), uniform(7), uniform(3), gamma=0.05, tolerance=1e-12)
    assert match(c, times / 7, uniform(3), gamma=0.05, tolerance=1e-12) == pytest.approx(many, abs=1e-10)


def test_a_match_that_does_not_come_to_its_tolerance_is_one_sentence():
    with pytest.raises(InputError, match=r"^kernel\.rematch: .* tolerance -1 with gamma 0\.1; raise one of them\.$"):
        match(np.random.default_rng(0).uniform(0, 1, (30, 40)), uniform(30), uniform(40), gamma=0.1, tolerance=-1)


# Distances of crystals.


def alloy(seed: int = 4, repeat=(2, 1, 1)) -> Atoms:
    atoms = bulk("CuZr", "cesiumchloride", a=3.26) * repeat
    atoms.rattle(0.15, seed=seed)
    return atoms


def turned(atoms: Atoms) -> Atoms:
    turn = Rotation.from_euler("xyz", [0.4, -1.1, 2.0]).as_matrix()
    return Atoms(atoms.numbers, positions=atoms.positions @ turn, cell=atoms.cell[:] @ turn, pbc=True)


@pytest.mark.parametrize("structure", DISTANCES)
def test_no_distance_changes_when_atoms_are_renumbered_a_crystal_turned_or_its_cell_repeated(structure):
    atoms, other = alloy(), alloy(seed=9)
    same = [atoms, atoms[[2, 0, 3, 1]], turned(atoms), atoms * (1, 2, 2)]
    pool = described([other, *same], [29, 40], structure)
    away, back = between(pool, 1, 0), between(pool, 0, 1)
    assert away > 1e-3
    for k in range(1, 5):
        assert between(pool, k, 0) == pytest.approx(away, abs=1e-7)
        assert between(pool, 0, k) == pytest.approx(back, abs=1e-7)
        assert between(pool, k, 1) <= pool.distance.overlap
    assert between(pool, 1, 1) <= 1e-15


@pytest.mark.parametrize("structure", DISTANCES)
def test_equal_atoms_may_be_described_once(structure):
    hcp, bcc = bulk("Zr", "hcp", a=3.232, c=5.147), bulk("Zr", "bcc", a=3.574, cubic=True)
    each = described([hcp, bcc], [40], structure)
    once = described([hcp, bcc], [40], structure, orbits=[np.zeros(2, int), np.zeros(2, int)])
    assert (len(each[0].vectors), len(once[0].vectors)) == (2, 1)
    assert between(once, 0, 1) == pytest.approx(between(each, 0, 1), abs=1e-7)


def test_of_crystals_with_one_environment_a_match_is_the_average_covariance():
    frames = [bulk("Zr", "bcc", a=a) for a in (3.4, 3.5, 3.7)]
    descriptor = Descriptor(SOAP, PAIR, [40])
    features, pool = descriptor.features(pack(frames)), described(frames, [40], "rematch")
    covariance = Covariance(descriptor.layout, kernel("average"))
    for p, q in itertools.permutations(range(3), 2):
        (expected,) = covariance.distance2(features[p : p + 1], features[q])
        assert between(pool, p, q) == pytest.approx(expected, abs=1e-6)


def test_a_large_gamma_compares_the_means_of_vectors():
    """With zeta = 1 the mean of all similarities is the dot product of the mean vectors."""
    frames = [alloy(seed) for seed in range(3)]
    for atoms in frames:
        atoms.numbers[:] = 40
    pool = described(frames, [40], "rematch", soap={"zeta": 1}, rematch={"gamma": 1e7})
    means = [pool[k].vectors.astype(float).mean(axis=0) for k in range(3)]
    layout = Descriptor(SOAP, PAIR, [40]).layout
    covariance = Covariance(layout, kernel("rematch"))
    for p, q in itertools.permutations(range(3), 2):
        cosine = means[p] @ means[q] / np.linalg.norm(means[p]) / np.linalg.norm(means[q])
        soap = 2 * covariance.soap_weight * (1 - cosine)
        pairs = covariance.pair_weight * ((pool[p].pairs - pool[q].pairs).astype(float) ** 2).sum()
        assert between(pool, p, q) == pytest.approx(soap + pairs, abs=1e-6)


def test_environments_of_different_species_are_orthogonal():
    copper, zirconium = bulk("Cu", "fcc", a=3.61), bulk("Zr", "hcp", a=3.232, c=5.147)
    pool = described([copper, zirconium, alloy()], [29, 40], "environment")
    assert between(pool, 0, 1) == pytest.approx(2, abs=1e-6)
    similar = similarities(pool[0], pool[2], Power(4))
    assert np.count_nonzero(similar) == 2
    assert np.array_equal(similar[0] > 0, pool[2].species == 29)


def test_an_environment_is_as_far_as_its_nearest_and_a_structure_as_its_farthest():
    pool = described([alloy(seed) for seed in range(3)], [29, 40], "environment")
    p, others = pool[0], [pool[1], pool[2]]
    expected = max(
        min(
            2 - 2 * float(x @ y) ** 4 if z == s else 2.0
            for q in others
            for y, s in zip(q.vectors.astype(float), q.species, strict=True)
        )
        for x, z in zip(p.vectors.astype(float), p.species, strict=True)
    )
    assert pool.psi(p, others) == pytest.approx(expected, abs=2e-6)


# Files.


def environments_of(n: int, seed: int, dimension: int = 6) -> Environments:
    """Random environments of n structures with one to five each, of two species."""
    generator = np.random.default_rng(seed)
    sizes = generator.integers(1, 6, n)
    vectors = np.abs(generator.standard_normal((sizes.sum(), dimension)))
    return Environments(
        np.concatenate([[0], np.cumsum(sizes)]),
        on_grid(vectors / np.linalg.norm(vectors, axis=1, keepdims=True)),
        generator.integers(1, 4, sizes.sum()).astype(np.int32),
        generator.choice([29, 40], sizes.sum()).astype(np.int32),
    )


def span(environments: Environments, start: int, stop: int) -> Environments:
    return Environments.joined([environments.one(k) for k in range(start, stop)])


def written(folder: Path, environments: Environments, cuts=()) -> list[Path]:
    paths = []
    for start, stop in pairwise([0, *cuts, len(environments)]):
        paths.append(shard_path(folder, start, stop, "npz"))
        write_environments(paths[-1], span(environments, start, stop))
    return paths


def test_dot_products_on_the_grid_are_exact_in_any_order():
    vectors = environments_of(6, seed=1, dimension=600).vectors.astype(float)
    products, order = vectors @ vectors.T, np.random.default_rng(0).permutation(600)
    assert np.array_equal(products, vectors[:, order] @ vectors[:, order].T)
    for i, j in ((0, 0), (0, 1), (2, 5)):
        assert products[i, j] == math.fsum(vectors[i] * vectors[j])


def test_environments_are_read_back_whatever_the_cuts(tmp_path):
    environments = environments_of(20, seed=2)
    pool = EnvironmentPool(reversed(written(tmp_path, environments, cuts=(7, 8))))
    assert len(pool) == 20
    for k in range(20):
        for name in ("offsets", "vectors", "multiplicities", "species"):
            assert np.array_equal(getattr(pool.one(k), name), getattr(environments.one(k), name))
    before = (tmp_path / "0-7.npz").read_bytes()
    write_environments(tmp_path / "0-7.npz", span(environments, 0, 7))
    assert (tmp_path / "0-7.npz").read_bytes() == before


def test_files_cut_off_misnamed_or_missing_are_refused(tmp_path):
    paths = written(tmp_path, environments_of(20, seed=2), cuts=(7, 8))
    with pytest.raises(InputError, match=r"8-20\.npz: the preceding candidates 7 to 8 are missing"):
        EnvironmentPool([paths[0], paths[2]])
    with pytest.raises(InputError, match=r"no such file; run `snakemake descriptors`"):
        EnvironmentPool([tmp_path / "0-9.npz"])
    whole = paths[0].read_bytes()
    for length in (0, 10, len(whole) // 2, len(whole) - 1):
        paths[0].write_bytes(whole[:length])
        with pytest.raises(InputError, match=r"0-7\.npz: not complete \(.*\); delete it and run its stage again"):
            EnvironmentPool(paths)
    (tmp_path / "0-9.npz").write_bytes(whole)
    with pytest.raises(InputError, match=r"0-9\.npz: its environments do not match its name"):
        EnvironmentPool([tmp_path / "0-9.npz"])


# Designs, against the plain algorithm by its definition.


def random_task(structure: str, n: int, seed: int, budget: int, *, copies: int = 0, existing: int = 0, **given) -> Task:
    """A pool of random structures, the last of which repeat the first."""
    options, layout = KernelOptions(structure=structure), Layout(n_species=2, spectrum=6, pairs=3)
    environments = environments_of(n + existing, seed)
    features = np.abs(np.random.default_rng(seed).standard_normal((n + existing, layout.dimension)))
    for part in (*layout.soap, layout.composition, layout.pair):
        features[:, part] /= np.linalg.norm(features[:, part], axis=1, keepdims=True)
    features = features.astype(np.float32)
    there = (features[n:], span(environments, n, n + existing)) if existing else None
    order = [*range(n), *range(copies)]
    environments = Environments.joined([environments.one(k) for k in order])
    pool, covariance = HeldPool(features[order]), Covariance(layout, options)
    return Task(
        pool=pool,
        covariance=covariance,
        mean=mean_descriptor(total(features[order]), len(order), layout),
        budget=budget,
        seed="7/design/RND",
        existing=None if there is None else there[0],
        structures=StructurePool(pool, environments, covariance, options, there),
        **given,
    )


def plain(task: Task):
    """The whole selection by its definition: every distance at every rank, the first of equal ones."""
    pool, order, distances, outside = task.structures, [], [], []
    everyone = [pool[k] for k in range(pool.size)]
    there = list(pool.existing)
    if not there:
        from_mean = task.covariance.distance2(task.pool.rows(range(pool.size)), task.mean)
        order = [first_farthest(from_mean) if task.start is None else task.start]
        distances = [from_mean[order[0]]]
    while True:
        ranks = there + [everyone[k] for k in order]
        psi = np.array([-1.0 if k in order else pool.psi(everyone[k], ranks) for k in range(pool.size)])
        best = first_farthest(psi)
        if order:
            outside.append(max(psi[best], 0.0))
        if len(order) == task.budget or psi[best] <= pool.distance.overlap:
            return order, np.sqrt(distances).tolist(), np.sqrt(outside).tolist()
        order.append(best)
        distances.append(psi[best])


def assert_plain(task: Task) -> Selection:
    selection = MaxminMethod.select(task)
    order, distances, outside = plain(task)
    assert selection.candidates.tolist() == order
    assert selection.distances.tolist() == distances
    assert selection.outside.tolist() == outside
    return selection


CASES = {
    "plain": {},
    "started": {"start": 3},
    "with copies": {"copies": 6},
    "from existing": {"existing": 4},
    "to the last": {"budget": 40, "copies": 5},
    "of one": {"budget": 1},
}


@pytest.mark.parametrize("structure", DISTANCES)
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("seed", range(2))
def test_the_lazy_order_is_the_plain_one(structure, case, seed):
    task = random_task(structure, 30, seed, **{"budget": 12} | CASES[case])
    selection = assert_plain(task)
    proof = {"distances": selection.distances, "outside": selection.outside}
    assert exhaustive.first_wrong_rank(task.structures, candidates=selection.candidates, **proof) is None
    if case == "to the last":
        assert len(selection.candidates) <= 30
        assert set(selection.candidates.tolist()) <= set(range(30))


def beginning(task: Task, size: int, **given) -> Task:
    """The same task on the first candidates of its pool."""
    structures, features = copy.copy(task.structures), task.pool.rows(range(size))
    structures.size = size
    mean = mean_descriptor(total(features), size, task.covariance.layout)
    return replace(task, pool=HeldPool(features), structures=structures, mean=mean, **given)


@pytest.mark.parametrize("structure", DISTANCES)
@pytest.mark.parametrize("case", ["plain", "started", "with copies", "from existing"])
@pytest.mark.parametrize(
    ("size", "budgets"), [(None, (5, 12)), (None, (12, 5)), (16, (12, 12)), (28, (12, 12)), (30, (12, 14))]
)
def test_a_larger_pool_or_budget_goes_on_to_the_plain_order(structure, case, size, budgets):
    task = random_task(structure, 36, 0, budgets[1], **CASES[case])
    state = lazy.select(beginning(task, size or task.structures.size, budget=budgets[0])).state
    assert_plain(replace(task, earlier=state))


def test_going_on_measures_only_what_is_new():
    task = random_task("rematch", 36, 0, 20)
    first = lazy._LazyGreedy(replace(task, budget=10))
    state = first.run().state
    whole, rest = lazy._LazyGreedy(task), lazy._LazyGreedy(replace(task, earlier=state))
    whole.run()
    rest.run()
    assert first.measured + rest.measured == whole.measured


@pytest.mark.parametrize("structure", DISTANCES)
@pytest.mark.parametrize("case", ["plain", "with copies", "from existing"])
def test_what_is_forgotten_is_measured_again(monkeypatch, structure, case):
    """The plain order, also where what is known of two candidates is all that may be kept, and where it goes on."""
    task = random_task(structure, 36, 0, 12, **CASES[case])
    init = Recent.__init__
    monkeypatch.setattr(Recent, "__init__", lambda self, limit: init(self, 1000))
    assert_plain(task)
    state = lazy.select(beginning(task, 30, budget=8)).state
    assert_plain(replace(task, earlier=state))


def test_recent_arrays_are_kept_within_their_limit():
    recent = Recent(3 * (Recent.ENTRY + 80))
    gone = [recent.put(k, np.full(10, k)) for k in range(3)]
    assert gone == [[], [], []]
    assert recent.get(0)[0] == 0
    assert recent.put(3, np.zeros(10)) == [1]
    assert recent.put(4, np.zeros(1000)) == [2, 0, 3]
    assert (list(recent), recent.get(2)) == ([4], None)
    recent.drop(4)
    assert recent.put(5, np.zeros(10)) == []


def test_a_design_that_does_not_fit_its_memory_is_refused():
    with pytest.raises(InputError, match=r"^selection\.memory: maxmin keeps 12 bytes for each of 30 candidates, and 9"):
        lazy.select(random_task("environment", 30, 0, 8, memory=0))


@pytest.mark.parametrize("structure", DISTANCES)
def test_the_cuts_of_a_pool_change_no_bit(structure, tmp_path):
    task = random_task(structure, 25, 3, 8)
    environments = environments_of(25, 3)
    options = KernelOptions(structure=structure)
    selection = lazy.select(task)
    for cuts in ((), (1, 2, 20)):
        (tmp_path / str(len(cuts))).mkdir()
        files = EnvironmentPool(written(tmp_path / str(len(cuts)), environments, cuts))
        other = lazy.select(replace(task, structures=StructurePool(task.pool, files, task.covariance, options)))
        for name in ("candidates", "distances", "outside"):
            assert getattr(other, name).tobytes() == getattr(selection, name).tobytes()


def test_progress_is_told_now_and_then(monkeypatch):
    lines = []
    lazy.select(random_task("environment", 20, 1, 5, progress=lines.append))
    assert lines == []
    monkeypatch.setattr(progress, "EVERY", 0.0)
    lazy.select(random_task("environment", 20, 1, 5, progress=lines.append))
    assert all(line.startswith("rank ") and " of 5, distance about " in line for line in lines)
    assert len(lines) >= 20


def test_what_is_wrong_with_a_design_is_found():
    task = random_task("environment", 25, 4, 6)
    selection = lazy.select(task)

    def reason(**changed):
        names = ("candidates", "distances", "outside")
        given = {name: np.array(getattr(selection, name)) for name in names}
        return exhaustive.first_wrong_rank(task.structures, **given | changed)

    swapped = selection.candidates[[0, 1, 3, 2, 4, 5]]
    assert (reason(candidates=swapped).rank, "comes before it" in reason(candidates=swapped).reason) == (2, True)
    twice = selection.candidates[[0, 1, 1, 3, 4, 5]]
    assert "chosen twice" in reason(candidates=twice).reason
    assert reason(distances=selection.distances + 1e-6 * (np.arange(6) == 4)).rank == 4
    assert reason(outside=selection.outside + 1e-6 * (np.arange(6) == 3)).rank == 3


def test_a_start_outside_the_pool_and_other_environments_are_refused():
    with pytest.raises(InputError, match=r"^start: there is no candidate 99; the pool ends at 29\.$"):
        lazy.select(random_task("rematch", 30, 0, 3, start=99))
    task = random_task("rematch", 30, 0, 3)
    with pytest.raises(
        InputError, match=r"^--environments: there are 29 candidates with environments and 30 with features;"
    ):
        StructurePool(task.pool, environments_of(29, 0), task.covariance, KernelOptions(structure="rematch"))


@pytest.mark.parametrize("structure", DISTANCES)
@pytest.mark.parametrize("existing", [0, 3])
def test_a_random_design_has_the_distances_of_its_structures(structure, existing):
    task = random_task(structure, 20, 5, 7, existing=existing)
    selection = RandomMethod.select(task)
    lots = stream(task.seed).random_raw(20)
    assert selection.candidates.tolist() == np.argsort(lots, kind="stable")[:7].tolist()
    ranks = [*task.structures.existing, *(task.structures[int(k)] for k in selection.candidates)]
    for rank in range(0 if existing else 1, 7):
        expected = np.sqrt(task.structures.psi(ranks[existing + rank], ranks[: existing + rank]))
        assert selection.distances[rank] == expected


def test_a_random_design_passes_over_copies_of_what_exists():
    task = random_task("environment", 20, 6, 20)
    (first,) = RandomMethod.select(replace(task, budget=1)).candidates
    pool = task.structures
    pool.existing = [pool[int(first)]]
    drawn = RandomMethod.select(replace(task, existing=task.pool.rows([first])))
    assert int(first) not in drawn.candidates
    assert len(drawn.candidates) == sum(pool.psi(pool[k], pool.existing) > pool.distance.overlap for k in range(20))


def test_strained_crystals_of_several_elements_are_chosen_exactly():
    crystals = {
        "b2": PrototypeOptions(element="CuZr", lattice="cesiumchloride", a=3.26),
        "copper": PrototypeOptions(element="Cu", lattice="fcc", a=3.61),
        "zirconium": PrototypeOptions(element="Zr", lattice="hcp", a=3.232, c=5.147),
    }
    batch = sample(PoolOptions().sampling, prototypes(crystals), seed=1, pool="A", start=0, stop=60)
    for structure in DISTANCES:
        assert_plain(data_task([batch.atoms(k) for k in range(60)], [29, 40], structure, 8))


# The study.


def test_the_distance_is_read_by_selections_and_by_nothing_before_or_after_them():
    given = {name: value for name, value in SMALL.items()}
    average, environment = (
        config.parse(given | {"kernel": {"structure": name}}) for name in ("average", "environment")
    )
    changed = {
        verb
        for verb, job in cli.jobs().items()
        if verb != "replay-surfaces"  # of a prototype that this study does not name
        and job.part(At(average, "OPT", "A")) != job.part(At(environment, "OPT", "A"))
    }
    choices = {"select", "polish", "regrow", "raise", "replay-choose", "round-learn", "round-choose"}
    # It says whether a pool that grows is wide enough for them.
    assert changed == {*choices, "grow", "page", "plan", "estimate", "provenance", "report"}


def test_environments_without_soap_are_refused():
    given = SMALL | {"kernel": {"structure": "rematch", "soap": {"scale": 0}}}
    with pytest.raises(InputError, match=r"^kernel\.structure: 'rematch' compares .* positive, or choose 'average'\.$"):
        config.check(config.parse(given))


ALLOY = {
    "study": "alloy",
    "prototypes": {
        "b2": {"element": "CuZr", "lattice": "cesiumchloride", "a": 3.26},
        "copper": {"element": "Cu", "lattice": "fcc", "a": 3.61},
    },
    "pools": {"names": ["A"], "size": 20, "shard_size": 10, "strain": {"max": 0.1}},
    "descriptor": {"soap": {"r_cut": 4.5, "n_max": 3, "l_max": 3}},
    "kernel": {"pair": {"r_cut": 5.0}, "structure": "environment"},
    "budget": 6,
    "designs": {"OPT": {"pool": "A", "method": "maxmin"}, "RND": {"pool": "A", "method": "random"}},
    "labels": {"engine": "eam", "eam": {"potential": "CuZr_mm.eam.fs"}},
}


def test_a_study_of_an_alloy_chooses_by_environments(workflow, capsys):

    workflow.configure(ALLOY)
    plan = workflow.plan("design")
    assert plan["descriptors_shard"] == plan["design_select"] == 2
    assert not {"design_basis", "design_compress"} & set(plan)
    workflow.run("design")
    folder = workflow.folder / "results/alloy"
    design = folder / "designs/OPT.extxyz"
    shards = sorted((folder / "descriptors/A/environments").glob("*.npz"))
    assert [path.name for path in shards] == ["0-10.npz", "10-20.npz"]
    frames = read(design, ":")
    assert len(frames) == 6
    assert {"distance", "outside"} <= set(frames[-1].info)
    assert (folder / "quality.csv").is_file()

    given = ["--config", str(workflow.folder / "config.yaml")]
    assert cli.main(["verify", *given, str(design)]) == 0
    assert capsys.readouterr().out.endswith("exact; 6 ranks against all 20 candidates of pool A\n")
    touched = folder / "touched/OPT.extxyz"
    touched.parent.mkdir()
    touched.write_text(design.read_text().replace("outside=", "outside=1"))
    assert cli.main(["verify", *given, str(touched)]) == 1

    names = ["0-10", "10-20"]
    arguments = ["--design", "OPT", "--candidates", *(f"{folder}/candidates/A/{name}.npz" for name in names)]
    arguments += ["--features", *(f"{folder}/descriptors/A/{name}.npy" for name in names)]
    arguments += ["--sums", *(f"{folder}/descriptors/A/sums/{name}.npy" for name in names)]
    arguments += ["--output", f"{folder}/x.extxyz", "--output-features", f"{folder}/x.npy"]
    assert cli.main(["select", *given, *arguments]) == 2
    assert "--environments: kernel.structure: environment needs the environments" in capsys.readouterr().err

    other = json.loads(json.dumps(ALLOY))
    other["kernel"]["structure"] = "average"
    workflow.configure(other)
    assert "descriptors_shard" not in workflow.plan("design")
    other["kernel"]["structure"] = "rematch"
    workflow.configure(other)
    assert "descriptors_shard" not in workflow.plan("design")


# Structures that people have computed: silicon surfaces and tungsten.


def data(name: str) -> Path:
    """A folder of reference data, which the repository does not carry."""
    folder = Path(os.environ.get("GAPDESIGN_DATA", ROOT.parent / "shared/data")) / name
    if not folder.is_dir():
        pytest.skip(
            f"set GAPDESIGN_DATA to a folder with {name}: si-gap-2018 is Si_Surfaces/Original_Dataset of"
            " github.com/kermodegroup/BayesianSelectionMLIP; w-gap-2014 is w14.xyz.gz, examples/WBe_PRB2019/JSON of"
            " github.com/FitSNAP/FitSNAP as extended XYZ"
        )
    return folder


def silicon() -> list[Atoms]:
    names = ["surface_001", "surface_110", "surface_111", "surface_111_pandey", "decohesion"]
    each = {name: read(data("si-gap-2018") / f"{name}.xyz.gz", ":") for name in names}
    return [atoms for frames in each.values() for atoms in frames[:: len(frames) // 8][:8]]


def tungsten() -> list[Atoms]:
    """Sixty of the structures, evenly over the file, so far as they are cells of some tens of atoms."""
    with gzip.open(data("w-gap-2014") / "w14.xyz.gz", "rt", encoding="utf-8") as stream:
        lines = stream.readlines()
    starts, at = [], 0
    while at < len(lines):
        starts.append(at)
        at += int(lines[at]) + 2
    small = [at for at in starts if int(lines[at]) <= 60]
    picked = [small[k] for k in np.linspace(0, len(small) - 1, 60).astype(int)]
    return [frame(lines[at + 1 : at + 2 + int(lines[at])]) for at in picked]


def frame(lines: list[str]) -> Atoms:
    cell = np.array(lines[0].split('"')[1].split(), float).reshape(3, 3)
    return Atoms("W" * (len(lines) - 1), positions=[line.split()[1:4] for line in lines[1:]], cell=cell, pbc=True)


def data_task(frames: list[Atoms], species: list[int], structure: str, budget: int) -> Task:
    descriptor, options = Descriptor(SOAP, PAIR, species), kernel(structure)
    features, environments = descriptor.features_and_environments(pack(frames))
    pool, covariance = HeldPool(features), Covariance(descriptor.layout, options)
    return Task(
        pool=pool,
        covariance=covariance,
        mean=mean_descriptor(total(features), len(features), descriptor.layout),
        budget=budget,
        structures=StructurePool(pool, environments, covariance, options),
    )


def average_design(task: Task) -> list[int]:
    """The max-min design by the average covariance, plainly."""
    features, covariance = task.pool.rows(range(task.pool.size)), task.covariance
    order = [int(np.argmax(covariance.distance2(features, task.mean)))]
    while len(order) < task.budget:
        psi = np.min([covariance.distance2(features, features[k]) for k in order], axis=0)
        order.append(int(np.argmax(psi)))
    compressed = compressed_task(task)
    assert MaxminMethod.select(compressed).candidates.tolist() == order
    return order


def compressed_task(task: Task) -> Task:
    features = task.pool.rows(range(task.pool.size))
    basis = Directions.of(features, task.covariance.layout)
    return replace(task, basis=basis, compressed=HeldPool(basis.compress(features)), structures=None)


@pytest.mark.data
@pytest.mark.parametrize(("structures", "number"), [(silicon, 14), (tungsten, 74)])
def test_real_structures_are_chosen_exactly_by_each_distance(structures, number):
    frames = structures()
    assert len(frames) in (40, 60)
    tasks = {structure: data_task(frames, [number], structure, 10) for structure in DISTANCES}
    designs = {structure: assert_plain(task).candidates.tolist() for structure, task in tasks.items()}
    designs["average"] = average_design(tasks["rematch"])

    # All start alike; what comes next is by each distance at least as far as what another distance chose.
    assert len({order[0] for order in designs.values()}) == 1
    for structure, task in tasks.items():
        pool = task.structures
        away = {name: pool.psi(pool[order[1]], [pool[order[0]]]) for name, order in designs.items()}
        assert away[structure] == max(away.values())

    # The second of the design by environments has the environment least like any of the first, of all in the pool.
    pool, zeta = tasks["environment"].structures, 4
    first = pool[designs["environment"][0]].vectors.astype(float)
    likeness = [(pool[k].vectors.astype(float) @ first.T).max(axis=1).min() ** zeta for k in range(len(frames))]
    assert likeness[designs["environment"][1]] == pytest.approx(min(likeness), abs=1e-6)

    # And no environment of any structure is farther from all in the design than the certificate says.
    chosen = np.concatenate([pool[k].vectors for k in designs["environment"]]).astype(float)
    covered = [(pool[k].vectors.astype(float) @ chosen.T).max(axis=1).min() ** zeta for k in range(len(frames))]
    outside = lazy.select(tasks["environment"]).outside[-1]
    assert outside**2 == pytest.approx(2 - 2 * min(covered), abs=1e-6)
