"""Designs with quotas for groups: against plain greedy choice from one group after another, with their proof."""

from __future__ import annotations

from dataclasses import fields, replace
from math import comb

import numpy as np
import pandas as pd
import pytest
from ase import Atoms

from gapdesign.config.study import Study
from gapdesign.descriptors.environments import Environments
from gapdesign.descriptors.kernel import KernelOptions
from gapdesign.descriptors.structure_distances import StructurePool
from gapdesign.errors import InputError
from gapdesign.inputs.carried import note
from gapdesign.inputs.frames import Frame
from gapdesign.methods import METHODS, Task, designs, quotas
from gapdesign.methods.maxmin.compression import Directions
from gapdesign.methods.options import mismatch
from gapdesign.methods.quotas import Quotas
from gapdesign.methods.shared.distance import mean_descriptor, total
from gapdesign.methods.shared.groups import Groups
from gapdesign.quality.groups import hardly_there, representation
from gapdesign.replay.choices import choices
from gapdesign.report.groups_table import tables, warnings
from gapdesign.shards import HeldPool
from gapdesign.structures import pack, write_batch
from toy_pools import COVARIANCE, LAYOUT, environments, features, task

N, BUDGET, RESERVE = 60, 14, 4
ROWS = features(N, seed=3)
GROUPS = Groups.named([["bulk", "slab", ""] * (N // 3)])
QUOTAS = Quotas(GROUPS, {"slab": 5, "bulk": 3})
FIRST = [name for name, count in QUOTAS.wanted.items() for _ in range(count)]
AVERAGE_OR_NOT = pytest.mark.parametrize("structure", ["average", "environment"])


def toy(structure: str = "average") -> Task:
    basis, around = Directions.of(ROWS, LAYOUT), environments(N, seed=4, width=LAYOUT.spectrum)
    made = task(ROWS, BUDGET, basis=basis, compressed=HeldPool(basis.compress(ROWS)), environments=around)
    if structure == "average":
        return made
    kernel = KernelOptions(structure=structure, soap={"zeta": 2, "scale": 0.6}, pair={"scale": 0.8})
    return replace(made, structures=StructurePool(made.pool, around, COVARIANCE, kernel))


def group_of(candidate: int) -> str:
    return GROUPS.names[GROUPS.of[candidate]]


def plain(structure: str) -> list[int]:
    """Max-min by its definition, from one group after another and then from all that are left."""
    pool = toy(structure).structures

    def nearest(candidate: int, chosen: list[int]) -> float:
        if pool is not None:
            return pool.psi(pool[candidate], [pool[other] for other in chosen])
        return float(COVARIANCE.distance2(ROWS[chosen], ROWS[candidate]).min())

    slabs = GROUPS.members("slab")
    mean = mean_descriptor(total(ROWS[slabs]), len(slabs), LAYOUT)
    chosen = [int(slabs[np.argmax(COVARIANCE.distance2(ROWS[slabs], mean))])]
    for turn in [*FIRST[1:], *[None] * (BUDGET + RESERVE - len(FIRST))]:
        allowed = [k for k in range(N) if k not in chosen and turn in (None, group_of(k))]
        chosen.append(max(allowed, key=lambda k: (nearest(k, chosen), -k)))
    return chosen


@AVERAGE_OR_NOT
def test_maxmin_is_the_plain_greedy_choice_from_each_group_in_turn(structure):
    found = designs.select(METHODS["maxmin"], toy(structure), reserve=RESERVE, quotas=QUOTAS)
    assert found.candidates.tolist() == plain(structure)


@AVERAGE_OR_NOT
def test_the_certificate_proves_each_stage_and_nothing_else(structure):
    mine, method = toy(structure), METHODS["maxmin"]
    found = designs.select(method, mine, quotas=QUOTAS)
    assert quotas.first_wrong_rank(method, mine, QUOTAS, found) is None
    swapped = found.candidates.copy()
    swapped[[2, 6]] = swapped[[6, 2]]
    wrong = quotas.first_wrong_rank(method, mine, QUOTAS, replace(found, candidates=swapped))
    assert (wrong.rank, wrong.reason) == (2, f"candidate {swapped[2]} is not of the group whose turn it is")
    other = found.candidates.copy()
    other[10] = next(k for k in range(N) if k not in other)
    assert quotas.first_wrong_rank(method, mine, QUOTAS, replace(found, candidates=other)).rank == 10
    assert quotas.first_wrong_rank(method, mine, QUOTAS, method.select(mine)) is not None


@pytest.mark.parametrize("name", METHODS)
def test_every_method_fills_its_quotas_and_has_a_reserve(name):
    found = designs.select(METHODS[name], toy(), reserve=RESERVE, quotas=QUOTAS)
    assert [group_of(k) for k in found.candidates[: len(FIRST)]] == FIRST
    assert len(set(found.candidates.tolist())) == BUDGET + RESERVE
    full = Quotas(GROUPS, {"slab": 8, "bulk": BUDGET - 8})
    found = designs.select(METHODS[name], toy(), reserve=RESERVE, quotas=full)
    assert len(set(found.candidates.tolist())) == BUDGET + RESERVE


def test_a_group_of_copies_ends_early_and_the_rest_takes_its_place():
    rows = ROWS.copy()
    rows[GROUPS.members("slab")[2:]] = rows[1]
    basis = Directions.of(rows, LAYOUT)
    mine = task(rows, BUDGET, basis=basis, compressed=HeldPool(basis.compress(rows)))
    found = designs.select(METHODS["maxmin"], mine, quotas=QUOTAS)
    assert len(found.candidates) == BUDGET
    assert [group_of(k) for k in found.candidates].count("slab") == 2
    assert quotas.first_wrong_rank(METHODS["maxmin"], mine, QUOTAS, found) is None


@pytest.mark.parametrize("name", METHODS)
def test_a_group_that_exists_already_gives_nothing_and_says_so(name):
    said = []
    mine = toy()
    slabs = GROUPS.members("slab")
    around = Environments.joined([mine.environments.one(int(k)) for k in slabs])
    mine = replace(mine, existing=ROWS[slabs], existing_environments=around, progress=said.append)
    found = designs.select(METHODS[name], mine, reserve=RESERVE, quotas=QUOTAS)
    assert "slab" not in {group_of(k) for k in found.candidates}
    assert [line for line in said if line.startswith("quotas.")] == [
        "quotas.slab: only 0 of 5 structures; all others of the group are copies of these, or of what is there already"
    ]
    assert 0 < len(found.candidates) == len(set(found.candidates.tolist()))
    if METHODS[name].is_certified:
        assert len(found.candidates) == BUDGET + RESERVE
        columns = [field.name for field in fields(found) if isinstance(getattr(found, field.name), np.ndarray)]
        design = replace(found, **{column: getattr(found, column)[:BUDGET] for column in columns})
        assert quotas.first_wrong_rank(METHODS[name], mine, QUOTAS, design) is None


def test_a_replay_scales_quotas_with_its_budgets():
    budgets = {7: QUOTAS.scaled(7 / BUDGET), BUDGET: QUOTAS.scaled(1.0)}
    assert [dict(each.wanted) for each in budgets.values()] == [{"slab": 2, "bulk": 1}, {"slab": 5, "bulk": 3}]
    assert QUOTAS.scaled(10).wanted == {"slab": 20, "bulk": 20}, "as far as the groups have them"
    assert QUOTAS.scaled(0.25).wanted == {"slab": 1}
    assert QUOTAS.part(GROUPS.members("bulk")).scaled(1.0).wanted == {"bulk": 3}
    table = choices(METHODS["maxmin"], toy(), "D", budgets=list(budgets), draws=1, quotas=budgets)
    chosen = {budget: [group_of(k) for k in rows["candidate"]] for budget, rows in table.groupby("budget")}
    assert chosen[7][:3] == ["slab", "slab", "bulk"] and chosen[BUDGET][:8] == FIRST


def test_groups_are_config_types_or_prototypes(tmp_path):
    frames = [Atoms("Cu", info={"config_type": kind}) if kind else Atoms("Cu") for kind in ("slab", 111, None)]
    made = [Atoms("Cu", info={"prototype": "fcc"}), Atoms("Cu")]
    notes = [note(Frame(frame, "mine.xyz", k)) for k, frame in enumerate(frames)]
    write_batch(tmp_path / "0-3.npz", pack(frames, notes=notes))
    write_batch(tmp_path / "3-5.npz", pack(made))
    found = Groups.read([tmp_path / "3-5.npz", tmp_path / "0-3.npz"])
    assert [found.names[k] for k in found.of] == ["slab", "111", "", "fcc", ""]
    assert found.sizes == {"": 2, "111": 1, "fcc": 1, "slab": 1}


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"surface": 3}, r"quotas: no candidate has the group 'surface'.*there are bulk \(20\), slab \(20\)\."),
        ({"slab": 21}, r"quotas\.slab: 21 structures are more than the 20 of this group\."),
    ],
)
def test_quotas_that_no_pool_can_fill(wanted, message):
    with pytest.raises(InputError, match=message):
        Quotas.checked(GROUPS, wanted)


def test_quotas_beyond_the_budget():
    design = Study(designs={"D": {"pool": "A", "method": "maxmin", "quotas": {"a": 8, "b": 5}}}).designs["D"]
    problem = mismatch(design, budget=12, structure="average", descriptor=Study().descriptor)
    assert problem == "quotas: they add up to 13, and the budget is 12; lower them or raise it."
    assert mismatch(design, budget=13, structure="average", descriptor=Study().descriptor) is None
    begun = design.model_copy(update={"start": 4})
    problem = mismatch(begun, budget=13, structure="average", descriptor=Study().descriptor)
    assert problem == "start: with quotas the farthest of each group comes first; leave one of the two out."


def drawn_at_most(count: int, pool: int, size: int, chosen: int) -> float:
    """Probability of a blind draw with at most so many of a group, by counting."""
    ways = sum(comb(size, k) * comb(pool - size, chosen - k) for k in range(count + 1))
    return ways / comb(pool, chosen)


def test_a_group_is_hardly_there_where_chance_would_not_leave_it_so():
    groups = Groups.named([["md"] * 100 + ["slab"] * 100 + ["rare"] * 5])
    few, none = np.r_[0:2, 100:138], np.r_[0:20, 100:120]
    table = representation("A", groups, {"FEW": few, "EVEN": none})
    found = hardly_there(table)
    assert list(found) == ["FEW"]
    (hardly,) = found["FEW"]
    assert (hardly.group, hardly.candidates, hardly.structures) == ("md", 100, 2)
    assert hardly.expected == pytest.approx(40 * 100 / 205)
    assert drawn_at_most(2, 205, 100, 40) < 0.01 < drawn_at_most(0, 205, 5, 40), "a rare group may be missed"
    designs = {"FEW": {"quotas": {"slab": 38}}, "EVEN": {}}
    (sentence,) = warnings(table, designs)
    assert sentence == (
        "FEW has 2 of the 100 candidates of md (a blind draw about 20). A model fitted to it may do badly there;"
        " `quotas` give a group its structures."
    )
    assert not warnings(table, designs | {"FEW": {"existing": "mine.xyz"}}), "the existing set may have it"
    assert not warnings(table, designs | {"FEW": {"fit": False}}), "no model is fitted to it"
    (sentence,) = warnings(table, {"FEW": {"quotas": {"md": 3, "slab": 38}, "existing": "mine.xyz"}, "EVEN": {}})
    assert sentence == (
        "FEW has 2 of 3 of md that its quotas ask for: all others are copies of these, or of what is there already."
    )
    (shown,) = tables(table)
    assert [row["structures"] for row in shown["rows"]] == [[2, 20], [0, 0], [38, 20]]
    assert sum(row["share"] for row in shown["rows"]) == pytest.approx(1)


def test_the_probability_decides_at_the_border():
    """Of 1000 candidates 60 are of a group; a draw of 100 has 6 of them, and 1 by chance about once in a hundred."""
    groups = Groups.named([["a"] * 60 + ["b"] * 940])
    one, no_more = np.r_[0:1, 60:159], np.r_[0:0, 60:160]
    probability = drawn_at_most(1, 1000, 60, 100)
    assert ("ONE" in hardly_there(representation("A", groups, {"ONE": one}))) == (probability < 0.01)
    assert "NONE" in hardly_there(representation("A", groups, {"NONE": no_more}))


def test_a_pool_of_one_group_has_no_table():
    table = representation("A", Groups.named([[""] * 5]), {"D": np.arange(3)})
    assert table.empty and not warnings(table, {"D": {}}) and not tables(table)
    assert list(table) == ["pool", "group", "candidates", "design", "structures"]
    assert not warnings(pd.DataFrame(columns=list(table)), {"D": {}})
