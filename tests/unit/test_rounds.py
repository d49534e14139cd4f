"""Rounds: the designs that stand for them, what labels say, what is expected, and what came of it."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from scipy.stats import multivariate_normal

from conftest import SMALL
from gapdesign.config import study
from gapdesign.descriptors.covariance import Covariance, Layout
from gapdesign.descriptors.kernel import KernelOptions
from gapdesign.engines.base import Label
from gapdesign.errors import InputError
from gapdesign.methods import METHODS
from gapdesign.models import MODELS
from gapdesign.report import rounds_table
from gapdesign.rounds.gains import expected_gain
from gapdesign.rounds.judged import COLUMNS, is_enough, row
from gapdesign.rounds.learnt import CostLaw, Learnt, RowScales, row_scales
from gapdesign.shards import HeldPool
from toy_pools import features


def small(**designs) -> study.Study:
    made = study.parse(SMALL | {"designs": designs})
    study.check(made)
    return made


def test_rounds_stand_for_designs_that_share_the_budget_and_come_last():
    made = small(
        OPT={"pool": "A", "method": "maxmin", "start": 3, "rounds": {"count": 4, "stop": 0.1}},
        RND={"pool": "B", "method": "random"},
    )
    assert list(made.designs) == ["OPT_1", "RND", "OPT_2", "OPT_3", "OPT_4"]
    assert made.budgets() == {"OPT_1": 3, "RND": 10, "OPT_2": 5, "OPT_3": 8, "OPT_4": 10}
    assert made.chain("OPT_4") == ["OPT_4", "OPT_3", "OPT_2", "OPT_1"]
    assert (made.first_rounds(), made.compared()) == (["OPT_1", "RND"], ["RND", "OPT_4"])
    # What may end a chain is seen in the fourth round first, and only the first one has a start.
    assert [made.designs[f"OPT_{n}"].after and made.designs[f"OPT_{n}"].after.stop for n in (1, 3, 4)] == [
        None,
        None,
        0.1,
    ]
    assert [made.designs[f"OPT_{n}"].start for n in (1, 2)] == [3, None]


def test_each_pool_has_its_own_rounds_and_core_hours_are_shared_as_numbers_are():
    made = small(
        OPT={"pools": ["A", "B"], "method": "maxmin", "rounds": 2, "budget": {"core_hours": 3.0, "at_most": 9}}
    )
    assert list(made.designs) == ["OPT_A_1", "OPT_B_1", "OPT_A_2", "OPT_B_2"]
    assert [made.core_hours_of(name) for name in made.designs] == [1.5, 1.5, 3.0, 3.0]
    assert [made.budget_of(name) for name in made.designs] == [5, 5, 9, 9]


def test_what_a_design_continues_is_one_range_of_its_labels():
    made = small(OPT={"pool": "A", "method": "maxmin", "rounds": 2, "budget": 20})
    assert made.batches("OPT_1") == [(0, 6), (6, 10)]
    assert made.batches("OPT_2") == [(0, 10), (10, 16), (16, 20)]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"rounds": 1}, r"^designs\.OPT\.rounds: 1 is not valid; it should be greater than or equal to 2\.$"),
        ({"rounds": {"count": 3, "stop": 0.1}}, "nothing is seen of earlier gains before round 4"),
        ({"rounds": {"count": 3, "pools": ["B"]}}, "1 pools for the 2 rounds after the first; name one for each"),
        ({"rounds": 2, "fit": False}, "leaves a design without the model"),
        ({"rounds": 2, "quotas": {"hcp": 2}}, "give one of both"),
        ({"rounds": 11}, "must be larger than the budget of that"),
        ({"after": {"design": "NO"}}, "there is no design 'NO'; choose from"),
        ({"after": {"design": "OPT"}}, "continues this one itself"),
        ({"after": {"design": "RND", "stop": 0.1}, "budget": 12}, "this is round 2; leave it out"),
        ({"after": {"design": "RND"}}, "must be larger than the budget of that"),
        ({"after": {"design": "RND"}, "budget": {"core_hours": 1.0}}, "has a budget in core-hours; give both one"),
        ({"after": {"design": "RND"}, "start": 2, "budget": 12}, "`start` is where a design begins"),
        ({"after": {"design": "RND"}, "rounds": 2, "budget": 12}, "`after` is a round of its own"),
        ({"rounds": 2, "pool": "", "pools": ["A", "NO"]}, "there is no pool 'NO'"),
    ],
)
def test_rounds_that_cannot_be_are_refused_in_one_sentence(options, sentence):
    with pytest.raises(InputError, match=sentence) as caught:
        small(RND={"pool": "B", "method": "random"}, OPT={"pool": "A", "method": "maxmin"} | options)
    assert "\n" not in str(caught.value)


def test_a_name_that_a_round_would_have_is_refused():
    with pytest.raises(InputError, match="a design 'OPT_2' is there already"):
        small(OPT={"pool": "A", "method": "maxmin", "rounds": 2}, OPT_2={"pool": "A", "method": "random"})


def biased(after: str) -> dict:
    options = {"calculator": "ase.calculators.emt.EMT", "after": after}
    return {"sampler": "biased", "biased": options}


def test_a_pool_that_is_sampled_after_labels_is_for_what_waits_for_them():
    pools = SMALL["pools"] | {"overrides": {"B": biased("OPT_1")}}
    designs = {"OPT": {"pool": "A", "method": "maxmin", "rounds": {"count": 2, "pools": ["B"]}}}
    made = study.parse(SMALL | {"pools": pools, "designs": designs})
    study.check(made)
    assert made.first_pools() == ["A"] and made.designs["OPT_2"].pool == "B"
    designs["RND"] = {"pool": "B", "method": "random"}
    with pytest.raises(InputError, match=r"^designs\.RND\.pool: 'B' is sampled after the labels of OPT_1"):
        study.check(study.parse(SMALL | {"pools": pools, "designs": designs}))
    pools = SMALL["pools"] | {"overrides": {"B": biased("NO")}}
    with pytest.raises(InputError, match="there is no design 'NO'"):
        study.check(study.parse(SMALL | {"pools": pools, "designs": designs}))


def test_the_forces_of_a_model_are_those_of_a_design():
    pools = SMALL["pools"] | {"overrides": {"B": {"sampler": "biased", "biased": {"calculator": "model"}}}}
    with pytest.raises(InputError, match="`calculator: model` is the model of a design; name that as `after`"):
        study.parse(SMALL | {"pools": pools})


def test_dynamics_that_wait_for_no_design_have_no_model():
    pools = SMALL["pools"] | {"sampler": "md", "md": {"calculator": "model"}}
    with pytest.raises(InputError, match=r"^pools\.md\.calculator: "):
        study.check(study.parse(SMALL | {"pools": pools}))


def test_what_is_expected_is_the_fall_of_a_posterior_deviation():
    covariance = Covariance(Layout(n_species=1, spectrum=6, pairs=4), KernelOptions(soap={"zeta": 2}))
    rows, noise = features(30).astype(np.float32), 0.02
    known, added, pool = rows[:4], rows[4:9], rows[9:]

    def deviation(members: np.ndarray) -> float:
        inverse = np.linalg.inv(covariance.gram(members, members) + noise * np.eye(len(members)))
        cross = covariance.gram(pool, members)
        return np.sqrt(np.mean(covariance.diagonal(pool) - np.einsum("ij,jk,ik->i", cross, inverse, cross)))

    found = expected_gain(known, added, HeldPool(pool), covariance, noise=noise, rows=7)
    assert found == pytest.approx(1 - deviation(rows[:9]) / deviation(known), rel=1e-9)
    assert expected_gain(known, added[:0], HeldPool(pool), covariance, noise=noise) == 0


SIZE, TRUE = 5, {"scale": 0.4, "energy": 0.02, "force": 0.1, "virial": 0.3}


def labelled_rows(count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Rows and labels of structures of one to three atoms, drawn from the model itself; the first has no virial."""
    rng, parts = np.random.default_rng(7), []
    weights = TRUE["scale"] * rng.normal(size=SIZE)
    for k in range(count):
        atoms = 1 + k % 3
        rows = rng.normal(size=(7 + 3 * atoms, SIZE))
        errors = np.r_[TRUE["energy"] * atoms**0.5, [TRUE["virial"] * atoms**0.5] * 6, [TRUE["force"]] * 3 * atoms]
        labels = rows @ weights + errors * rng.normal(size=len(rows))
        labels[1:7] = np.nan if k == 0 else labels[1:7]
        parts.append((rows, labels))
    return parts


def likelihood(parts, scale: float, **errors: float) -> float:
    """The density of all labels, as one normal distribution."""
    rows, labels, deviations = [], [], []
    for own, values in parts:
        atoms = (len(own) - 7) // 3
        each = np.r_[errors["energy"] * atoms**0.5, [errors["virial"] * atoms**0.5] * 6, [errors["force"]] * 3 * atoms]
        there = np.isfinite(values)
        rows, labels, deviations = [*rows, own[there]], [*labels, values[there]], [*deviations, each[there]]
    rows, labels, deviations = map(np.concatenate, (rows, labels, deviations))
    return multivariate_normal.logpdf(labels, cov=np.diag(deviations**2) + scale**2 * rows @ rows.T)


def test_errors_and_scale_are_the_most_likely_ones():
    parts = labelled_rows(20)
    start = {"energy": 0.001, "force": 0.05, "virial": 0.05, "scale": 0.3}
    found = row_scales(parts, SIZE, start)
    values = {"scale": found.scale, **found.errors}
    best = likelihood(parts, **values)
    assert found.log_likelihood == pytest.approx(best, abs=1e-4)
    for name in values:
        for factor in (0.9, 1.1):
            assert likelihood(parts, **(values | {name: factor * values[name]})) < best
    assert found.at_bound == []
    assert all(0.4 < values[name] / TRUE[name] < 2.5 for name in TRUE)


def test_forces_that_symmetry_holds_at_zero_are_not_taken_for_exact_ones():
    parts, start = labelled_rows(20), {"energy": 0.001, "force": 0.05, "virial": 0.05, "scale": 0.3}
    rng, silent = np.random.default_rng(1), []
    for rows, labels in labelled_rows(20):
        rows, labels = rows.copy(), labels.copy()
        rows[7:], labels[7:] = 1e-6 * rng.normal(size=rows[7:].shape), 1e-9
        rows[:7], labels[:7] = 0.0, np.nan
        silent.append((rows, labels))
    with_silent, without = (row_scales(own, SIZE, start) for own in (parts + silent, parts))
    assert with_silent.errors["force"] == pytest.approx(without.errors["force"], rel=1e-3)


def test_what_labels_do_not_determine_stays_as_configured():
    """Forces without any error are the more likely, the smaller their expected error is."""
    parts = labelled_rows(12)
    weights = np.full(SIZE, 0.3)
    parts = [(rows, np.r_[rows[:7] @ weights + 0.1 * labels[:7], rows[7:] @ weights]) for rows, labels in parts]
    start = {"energy": 0.002, "force": 0.05, "virial": 0.07, "scale": 0.3}
    found = row_scales(parts, SIZE, start)
    assert found.at_bound == ["force"] and all(found.errors[name] == start[name] for name in found.at_bound)
    free = [name for name in ("scale", *found.errors) if name not in found.at_bound]
    values = {"scale": found.scale, **found.errors}
    for name in free:
        for factor in (0.9, 1.1):
            assert likelihood(parts, **(values | {name: factor * values[name]})) < likelihood(parts, **values)


def test_labels_that_do_not_count_have_no_error():
    found = row_scales(labelled_rows(9), SIZE, {"energy": 0.001, "scale": 0.3})
    assert set(found.errors) == {"energy"}


def test_what_is_learnt_comes_back_and_changes_what_it_says(tmp_path):
    rows = RowScales(0.5, {"energy": 0.002}, -3.5, ["energy"])
    learnt = Learnt("OPT_1", 0.2, 0.9, 0.01, rows, CostLaw(2.0, 1.1, 7, 0.1), 12.5, [("A", 3), ("B", 4)])
    learnt.write(tmp_path / "learnt.json")
    assert Learnt.read(tmp_path / "learnt.json") == learnt
    configured = KernelOptions(soap={"zeta": 3, "scale": 0.3}, pair={"scale": 0.8})
    kernel = learnt.kernel(configured)
    assert (kernel.soap.scale, kernel.pair.scale, kernel.soap.zeta) == (0.2, 0.9, 3)
    assert learnt.noise_share(configured) == pytest.approx(0.01**2 / (0.2**2 + 0.9**2))
    (tmp_path / "learnt.json").write_text('{"after": "OPT_1"}')
    with pytest.raises(InputError, match="not what `gapdesign round-learn` writes"):
        Learnt.read(tmp_path / "learnt.json")


def test_a_kernel_keeps_its_scales_where_a_model_has_another():
    learnt = Learnt("OPT_1", None, None, None, None, None, 0.0, [])
    configured = KernelOptions(soap={"scale": 0.3}, pair={"scale": 0.8})
    assert learnt.kernel(configured) == configured and learnt.noise_share(configured) == 0
    assert MODELS["gap"].kernel_scales({"soap_scale": 0.1, "pair_scale": 0.7}) == (0.1, 0.7)
    assert all(member.kernel_scales({}) is None for name, member in MODELS.items() if not member.shares_kernel)


def test_only_methods_that_expect_errors_have_them_changed():
    for name, method in METHODS.items():
        options = method.Options()
        changed = method.with_errors(options, dict.fromkeys(method.expected_errors(options), 0.5))
        assert (changed == options) == (not method.expected_errors(options)), name
        assert set(method.expected_errors(changed).values()) <= {0.5}


def test_a_law_of_costs_is_that_of_the_clock():
    expected = np.array([1.0, 2.0, 4.0, 8.0, 16.0])
    law = CostLaw.of(expected, 3 * expected**1.5)
    assert (law.unit, law.power, law.structures) == (pytest.approx(3), pytest.approx(1.5), 5)
    assert law.scatter == pytest.approx(0, abs=1e-6)
    assert law(np.array([4.0])) == pytest.approx(24)
    # Few labels, or labels of one size, say nothing of a power.
    few = CostLaw.of(expected[:4], 3 * expected[:4] ** 1.5)
    assert few.power == 1 and few.unit == pytest.approx((3 * expected[:4] ** 1.5).sum() / expected[:4].sum())
    assert CostLaw.of(np.full(6, 2.0), np.full(6, 3.0)).power == 1
    assert CostLaw.of(np.zeros(0), np.zeros(0)) is None


def structures(count: int, begin: int = 0) -> list[Atoms]:
    made = []
    for k in range(begin, begin + count):
        atoms = Atoms("Cu2", positions=[[0, 0, 0], [0, 0, 2 + 0.01 * k]], cell=[9, 9, 9], pbc=True)
        atoms.info["REF_energy"] = float(k)
        atoms.set_array("REF_forces", np.zeros((2, 3)))
        made.append(atoms)
    return made


def off_by(energy: float, force: float):
    """A model with these errors, in eV and eV/angstrom."""
    return lambda atoms: Label(atoms.info["REF_energy"] + energy, np.full((2, 3), force), None)


def test_a_round_is_judged_by_models_that_have_not_seen_it():
    before = structures(4)
    frames = [*before, *structures(2, begin=4)]
    told = {"expected_gain": 0.3, "stopped": False}
    found = row("X", "P", frames, before, **told, model=off_by(0.02, 0.01), earlier=off_by(0.04, 0.02))
    assert list(found) == list(COLUMNS)
    assert (found["structures"], found["added"]) == (6, 2)
    assert found["energy_rmse_mev"] == pytest.approx(10) and found["force_rmse_mev_a"] == pytest.approx(10)
    assert (found["seen_energy_gain"], found["seen_force_gain"]) == (pytest.approx(0.5), pytest.approx(0.5))
    second = row("X", "P", frames, before, **told, model=off_by(0.02, 0.01), earlier=None)
    assert np.isnan(second["seen_energy_gain"])


def judged(energy: float, force: float, stopped: bool = False) -> dict:
    return {"seen_energy_gain": energy, "seen_force_gain": force, "stopped": stopped}


def test_a_chain_ends_when_what_came_and_what_comes_are_worth_too_little():
    assert is_enough(judged(0.02, -0.1), 0.01, 0.05)
    assert not is_enough(judged(0.2, -0.1), 0.01, 0.05)
    assert not is_enough(judged(0.02, 0.2), 0.01, 0.05)
    assert not is_enough(judged(0.02, 0.02), 0.2, 0.05)
    assert not is_enough(judged(np.nan, np.nan), 0.01, 0.05)
    assert is_enough(judged(np.nan, np.nan, stopped=True), 0.5, 0.05)


def test_the_page_puts_a_gain_where_it_was_made():
    import pandas as pd

    rows = [
        row(
            "R_2", "R_1", structures(3), structures(2),
            expected_gain=0.4, stopped=False, model=off_by(0.2, 0.1), earlier=None,
        ),
        row(
            "R_3", "R_2", structures(4), structures(3),
            expected_gain=0.3, stopped=False, model=off_by(0.1, 0.1), earlier=off_by(0.4, 0.2),
        ),
    ]  # fmt: skip
    shown = rounds_table.section(pd.DataFrame(rows, columns=COLUMNS))
    gains = {entry["design"]: entry["cells"][-2:] for entry in shown["rows"]}
    assert gains["R_2"] == [rounds_table.percent(0.75), rounds_table.percent(0.5)]
    assert gains["R_3"] == [rounds_table.percent(np.nan)] * 2
    assert rounds_table.section(None)["rows"] == []
