"""Designs within core-hours: against plain greedy choice among what is affordable, with their proof and reserve."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gapdesign.config.study import Study
from gapdesign.descriptors.kernel import KernelOptions
from gapdesign.descriptors.structure_distances import StructurePool
from gapdesign.errors import InputError
from gapdesign.methods import METHODS, Method, Selection, Task, designs
from gapdesign.methods.budgets import by_chance, end
from gapdesign.methods.maxmin.compression import Directions
from gapdesign.methods.shared.costs import affordable, drawn_within, spent_before
from gapdesign.methods.shared.distance import mean_descriptor, total
from gapdesign.methods.shared.parts import among
from gapdesign.shards import HeldPool
from toy_pools import COVARIANCE, LAYOUT, environments, features, task

N, RESERVE = 60, 8
ROWS = features(N, seed=3)
COSTS = np.random.default_rng(5).choice([0.1, 0.3, 1.0, 4.0], N, p=[0.4, 0.3, 0.2, 0.1])
PREFIX = [name for name, method in METHODS.items() if method.is_prefix]
AVERAGE_OR_NOT = pytest.mark.parametrize("structure", ["average", "environment"])


def toy(core_hours: float, structure: str = "average", *, at_most: int = N, rows: np.ndarray = ROWS, **given) -> Task:
    basis, around = Directions.of(rows, LAYOUT), environments(N, seed=4, width=LAYOUT.spectrum)
    given = {"costs": COSTS, "core_hours": core_hours, "environments": around} | given
    made = task(rows, at_most, basis=basis, compressed=HeldPool(basis.compress(rows)), **given)
    if structure == "average":
        return made
    kernel = KernelOptions(structure=structure, soap={"zeta": 2, "scale": 0.6}, pair={"scale": 0.8})
    return replace(made, structures=StructurePool(made.pool, around, COVARIANCE, kernel))


def plain(core_hours: float, structure: str = "average") -> list[int]:
    """Max-min by its definition: always the farthest of those that what is left still pays for."""
    pool = toy(core_hours, structure).structures

    def nearest(candidate: int, chosen: list[int]) -> float:
        if pool is not None:
            return pool.psi(pool[candidate], [pool[other] for other in chosen])
        return float(COVARIANCE.distance2(ROWS[chosen], ROWS[candidate]).min())

    left, chosen = core_hours + 1e-9, []
    while able := [k for k in range(N) if k not in chosen and COSTS[k] <= left]:
        if chosen:
            chosen.append(max(able, key=lambda k: (nearest(k, chosen), -k)))
        else:
            mean = mean_descriptor(total(ROWS[able]), len(able), LAYOUT)
            chosen.append(able[int(np.argmax(COVARIANCE.distance2(ROWS[able], mean)))])
        left -= COSTS[chosen[-1]]
    return chosen


def cost(found: Selection) -> float:
    return COSTS[found.candidates[: len(found.candidates) - found.reserved]].sum()


@AVERAGE_OR_NOT
@pytest.mark.parametrize("core_hours", [0.35, 2.0, 7.0, 21.0])
def test_maxmin_is_the_plain_greedy_choice_among_what_is_affordable(structure, core_hours):
    found = designs.select(METHODS["maxmin"], toy(core_hours, structure))
    assert found.candidates.tolist() == plain(core_hours, structure)
    assert found.outside.tolist() == [*found.distances[1:].tolist(), 0.0]


@AVERAGE_OR_NOT
@pytest.mark.parametrize("at_most", [5, N])
def test_the_certificate_proves_such_a_design_and_no_other(structure, at_most):
    mine, method = toy(7.0, structure, at_most=at_most), METHODS["maxmin"]
    found = designs.select(method, mine)
    assert method.first_wrong_rank(mine, found) is None
    assert found.outside[-1] > 0 if at_most == 5 else found.outside[-1] == 0
    other = found.candidates.copy()
    other[3] = next(k for k in range(N) if k not in other and COSTS[k] == COSTS[other[3]])
    assert method.first_wrong_rank(mine, replace(found, candidates=other)).rank == 3


def test_a_design_of_another_budget_is_not_proved():
    mine, method = toy(7.0), METHODS["maxmin"]
    found = designs.select(method, mine)
    for core_hours in (6.0, 8.0, None):
        assert method.first_wrong_rank(replace(mine, core_hours=core_hours), found) is not None
    candidates = found.candidates.copy()
    candidates[-1] = next(k for k in np.argsort(-COSTS) if k not in candidates)
    wrong = method.first_wrong_rank(mine, replace(found, candidates=candidates))
    assert wrong.rank == len(candidates) - 1
    assert wrong.reason.startswith(f"its label costs {COSTS[candidates[-1]]:g} core-hours, and ")


@pytest.mark.parametrize("name", PREFIX)
def test_every_method_of_prefixes_spends_what_it_can_and_never_more(name):
    for core_hours in (0.1, 3.0, 11.0):
        mine = toy(core_hours)
        found = designs.select(METHODS[name], mine, reserve=RESERVE)
        design = found.candidates[: len(found.candidates) - found.reserved]
        assert len(set(found.candidates.tolist())) == len(found.candidates)
        assert cost(found) <= core_hours * (1 + 1e-9)
        rest = np.setdiff1d(np.arange(N), design)
        assert not affordable(COSTS[rest], cost(found), core_hours).any()
        assert len(found.distances) == len(found.candidates)


@pytest.mark.parametrize("name", PREFIX)
def test_where_all_cost_the_same_it_is_the_design_of_as_many_structures(name):
    mine = toy(7.05, costs=np.full(N, 0.5))
    found = designs.select(METHODS[name], mine)
    same = METHODS[name].select(replace(mine, budget=14, costs=None, core_hours=None))
    assert found.candidates.tolist() == same.candidates.tolist()
    assert np.array_equal(found.distances, same.distances)


def test_sums_of_decimals_lose_no_structure():
    """Ten times 0.1 is less than 1 in binary, and three times 0.1 more than 0.3."""
    for core_hours, count in ((1.0, 10), (0.3, 3), (0.7, 7)):
        found = designs.select(METHODS["maxmin"], toy(core_hours, costs=np.full(N, 0.1)))
        assert len(found.candidates) == count
    assert spent_before(np.array([0.1, 0.2])).tolist() == [0.0, 0.1, 0.1 + 0.2]


@pytest.mark.parametrize("name", PREFIX)
def test_the_reserve_fits_in_place_of_structures_that_fail(name):
    core_hours = 11.0
    found = designs.select(METHODS[name], toy(core_hours), reserve=RESERVE)
    count = len(found.candidates) - found.reserved
    spends = METHODS[name].spends  # which leaves hardly any cheap candidates to replace others
    assert found.reserved == RESERVE or (spends and found.reserved > 0)
    own, behind = np.sort(COSTS[found.candidates[:count]]), COSTS[found.candidates[count:]]
    left = core_hours - own.sum()
    shares = ((0.75, behind), (0.5, behind[2:]), (0.25, behind[4:]), (0.0, behind[6:]))
    for cheaper, ranks in shares[:1] if spends else shares:
        for failed in own[int(cheaper * count) :]:
            assert (ranks <= left + failed + 1e-6).all()


def test_a_number_of_structures_ends_a_design_that_could_go_on():
    whole, found = (designs.select(METHODS["maxmin"], toy(21.0, at_most=most)) for most in (N, 7))
    assert found.candidates.tolist() == whole.candidates[:7].tolist()
    assert found.outside.tolist() == whole.outside[:7].tolist()
    assert end(toy(21.0), COSTS[found.candidates], 7) == "it ends at 7 structures (at_most)"


def test_copies_end_a_design_and_the_words_say_so():
    rows = ROWS.copy()
    rows[3:] = rows[0]
    mine = toy(100.0, rows=rows, costs=np.ones(N))
    found = designs.select(METHODS["maxmin"], mine)
    assert sorted(found.candidates.tolist()) == [0, 1, 2]
    assert METHODS["maxmin"].first_wrong_rank(mine, found) is None
    assert "copies" in end(mine, np.ones(3), N)
    assert end(toy(0.35), np.array([0.3]), N) == "no candidate costs as little as the 0.05 that are left"


def test_existing_structures_are_continued_and_not_repeated():
    mine = toy(5.0, existing=ROWS[:10])
    found = designs.select(METHODS["maxmin"], mine, reserve=2)
    assert not set(found.candidates.tolist()) & set(range(10))
    count = len(found.candidates) - 2
    parts = {name: getattr(found, name)[:count] for name in ("candidates", "distances", "outside")}
    assert METHODS["maxmin"].first_wrong_rank(mine, replace(found, **parts)) is None


def test_a_start_is_kept_if_it_can_be_paid_for():
    cheap, dear = int(np.argmin(COSTS)), int(np.argmax(COSTS))
    assert designs.select(METHODS["maxmin"], toy(3.0, start=cheap)).candidates[0] == cheap
    with pytest.raises(InputError, match=rf"^start: the label of candidate {dear} costs 4 core-hours, more than"):
        designs.select(METHODS["maxmin"], toy(3.0, start=dear))
    with pytest.raises(InputError, match=r"^budget\.core_hours: 0\.05 core-hours pay for no label; the cheapest"):
        designs.select(METHODS["maxmin"], toy(0.05))


def test_a_method_that_weighs_costs_ends_the_budget_itself():
    class Cheapest(Method):
        """The cheapest first."""

        spends = is_prefix = True

        @classmethod
        def select(cls, task):
            order = np.argsort(task.costs, kind="stable")
            if task.existing is not None:
                order = np.array([k for k in order if not (task.existing == task.pool.rows([k])).all(axis=1).any()])
            fits = affordable(task.costs[order], spent_before(task.costs[order])[:-1], task.core_hours)
            order = order[fits][: task.budget]
            return Selection(order, np.zeros(len(order)), scores=-task.costs[order])

    found = designs.select(Cheapest, toy(3.0), reserve=4)
    assert found.reserved == 4
    expected = np.argsort(COSTS, kind="stable")
    assert found.candidates.tolist() == expected[: len(found.candidates)].tolist()
    assert found.scores.tolist() == (-COSTS[found.candidates]).tolist()


def test_a_part_of_a_task_has_the_costs_of_its_candidates():
    some = np.array([3, 8, 41])
    assert among(toy(1.0), some).costs.tolist() == COSTS[some].tolist()


def test_random_designs_skip_what_does_not_fit():
    order = np.array([2, 0, 1, 3])
    assert drawn_within(np.array([2.0, 1.0, 3.0, 0.5]), 4.0, order).tolist() == [2, 1]
    count, spent = by_chance(toy(10.0))
    assert spent <= 10.0 * (1 + 1e-9)
    assert 10.0 - spent < COSTS.max()
    assert count == pytest.approx(10.0 / COSTS.mean(), rel=0.4)
    assert by_chance(toy(1e6, at_most=5))[0] == 5


def study(**changes) -> dict:
    given = {
        "prototypes": {"fcc": {"element": "Cu", "lattice": "fcc", "a": 3.6}},
        "pools": {"names": ["A"], "size": 50},
        "designs": {"D": {"pool": "A", "method": "maxmin"}},
        "budget": {"core_hours": 2.5},
    }
    return given | changes


def test_a_budget_of_core_hours_is_laid_out_for_a_number_of_structures():
    from gapdesign.config import study as config

    made = config.parse(study())
    config.check(made)
    assert (made.budget_of("D"), made.core_hours_of("D"), made.priced()) == (50, 2.5, {"D": 2.5})
    large = config.parse(study(pools={"names": ["A"], "size": 5000}))
    assert large.budget_of("D") == 1000
    own = study(budget=10, designs={"D": {"pool": "A", "method": "maxmin", "budget": {"core_hours": 1, "at_most": 7}}})
    made = config.parse(own)
    assert (made.budget_of("D"), made.core_hours_of("D")) == (7, 1.0)
    assert config.parse(study(budget=10)).priced() == {}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"budget": {"core_hours": 0}}, "budget.core_hours: 0 is not valid; it should be greater than 0."),
        ({"budget": {"at_most": 5}}, "budget.core_hours: this key is missing; see config/README.md for what it means."),
        (
            {"budget": {"core_hours": 5, "at_most": 51}},
            "budget.at_most: 51 structures cannot be chosen from pools of 50; lower it or raise pools.size.",
        ),
        ({"budget": "much"}, "budget: 'much' is not valid; give a whole number."),
        (
            {"designs": {"D": {"pool": "A", "method": "k_medoids"}}},
            "designs.D.method: 'k_medoids' chooses a design as a whole, so no budget of core-hours can end it; give a"
            f" number of structures, or choose {' or '.join(PREFIX)}.",
        ),
        (
            {"designs": {"D": {"pool": "A", "method": "maxmin", "quotas": {"fcc": 3}}}},
            "designs.D.quotas: they are numbers of structures, which a budget of core-hours may not pay for; give one"
            " of both.",
        ),
        (
            {"labels": {"engine": "file", "file": {"paths": ["x.xyz"]}}},
            "costs.source: the engine 'file' computes no labels, and so estimates no costs; set it to column or"
            " measured.",
        ),
        (
            {"costs": {"source": "column", "column": "hours"}},
            "costs.source: candidates of pool A (designs.D) are no frames of files, which could carry hours; set it to"
            " engine or measured.",
        ),
        ({"costs": {"source": "column"}}, "costs.column: source: column needs this key; see config/README.md."),
        (
            {"costs": {"path": "x.xyz"}},
            "costs.path: source: engine does not read it; remove it, or change the source.",
        ),
        (
            {"costs": {"source": "measured", "column": "t", "path": "nowhere.xyz"}},
            "costs.path: no file 'nowhere.xyz'; paths start where snakemake is run.",
        ),
    ],
)
def test_what_does_not_fit_is_one_sentence(changes, sentence):
    from gapdesign.config import study as config

    with pytest.raises(InputError) as caught:
        config.check(config.parse(study(**changes)))
    assert str(caught.value) == sentence


def test_a_study_without_such_a_budget_reads_as_before():
    assert "costs" not in Study().model_dump(mode="json")
    assert "costs" in Study(costs={"cores": 2}).model_dump(mode="json")
