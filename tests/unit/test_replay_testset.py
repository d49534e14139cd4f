"""The common test set of a replay: no design chooses from it, and all are judged on it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gapdesign.cli import jobs
from gapdesign.config.part import At
from gapdesign.config.study import Study, parse
from gapdesign.descriptors.covariance import Covariance, Layout
from gapdesign.descriptors.environments import Environments, on_grid
from gapdesign.descriptors.kernel import KernelOptions
from gapdesign.descriptors.structure_distances import StructurePool
from gapdesign.errors import InputError
from gapdesign.files import write_array
from gapdesign.methods import METHODS, Task
from gapdesign.methods.maxmin.compression import Directions
from gapdesign.methods.shared.distance import mean_descriptor, total
from gapdesign.models.shared.leastsquares import offsets
from gapdesign.replay.choices import choices
from gapdesign.replay.equivalents import equivalents
from gapdesign.replay.fits import COMMON, errors, judged
from gapdesign.replay.labels import LabelledRows, Labels
from gapdesign.replay.requirements import check
from gapdesign.replay.testset import left_out, without
from gapdesign.replay.testset import test_members as members_of
from gapdesign.report.replay_figures import errors_figure
from gapdesign.shards import HeldPool

N, SHARE = 40, 0.2
LAYOUT = Layout(n_species=1, spectrum=4, pairs=3)
LEFT = left_out(5, "mine", N, SHARE)


def features() -> np.ndarray:
    rows = np.random.default_rng(1).random((N, LAYOUT.dimension))
    for part in (*LAYOUT.soap, LAYOUT.pair):
        rows[:, part] /= np.linalg.norm(rows[:, part], axis=1, keepdims=True)
    return rows.astype(np.float32)


def environments() -> Environments:
    vectors = np.random.default_rng(2).random((2 * N, 4))
    unit = on_grid(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
    return Environments(2 * np.arange(N + 1), unit, np.ones(2 * N, np.int32), np.full(2 * N, 40, np.int32))


def task_of(which: np.ndarray, structure: str = "average") -> Task:
    options = KernelOptions(structure=structure)
    covariance, mine, everything = Covariance(LAYOUT, options), features()[which], environments()
    around = Environments.joined([everything.one(k) for k in which])
    pool, basis = HeldPool(mine), Directions.of(features(), LAYOUT)
    structures = None if structure == "average" else StructurePool(pool, around, covariance, options)
    return Task(
        pool=pool,
        covariance=covariance,
        mean=mean_descriptor(total(mine), len(mine), LAYOUT),
        budget=6,
        seed="5/design/D",
        compressed=HeldPool(basis.compress(mine)),
        basis=basis,
        structures=structures,
        environments=around,
    )


def test_the_test_set_is_a_sample_by_seed_and_pool():
    assert len(LEFT) == 8 and LEFT.tolist() == sorted(set(LEFT.tolist()))
    assert LEFT.tolist() == left_out(5, "mine", N, SHARE).tolist()
    assert LEFT.tolist() != left_out(6, "mine", N, SHARE).tolist()
    assert LEFT.tolist() != left_out(5, "other", N, SHARE).tolist()
    assert len(left_out(5, "mine", N, 0.0)) == 0


def test_every_pool_but_the_core_has_one_and_a_named_pool_is_one():
    sizes = {"core": 10, "A": 20, "B": 30}
    assert {name: len(mine) for name, mine in members_of(5, sizes, "core", 0.2).items()} == {"A": 4, "B": 6}
    assert members_of(5, sizes, None, 0.0) == {}
    assert members_of(5, sizes, None, "B")["B"].tolist() == list(range(30))


@pytest.mark.parametrize(
    ("method", "structure"),
    [
        *((method, "average") for method in ("maxmin", "fps", "random", "maxent", "cur_environments", "bayesian")),
        *((method, "environment") for method in ("maxmin", "random")),
    ],
)
def test_a_design_is_that_of_the_pool_without_the_test_set(method, structure):
    task, rest = without(task_of(np.arange(N), structure), LEFT)
    assert rest.tolist() == sorted(set(range(N)) - set(LEFT.tolist()))
    chosen = METHODS[method].select(task).candidates
    assert chosen.tolist() == METHODS[method].select(task_of(rest, structure)).candidates.tolist()
    table = choices(METHODS[method], task, "D", budgets=(3, 6), draws=2)
    assert not set(rest[table["candidate"]]) & set(LEFT.tolist())


def test_a_start_is_renumbered_and_must_not_be_in_the_test_set():
    rest = np.setdiff1d(np.arange(N), LEFT)
    task, _ = without(replace(task_of(np.arange(N)), start=int(rest[9])), LEFT)
    assert rest[METHODS["maxmin"].select(task).candidates[0]] == rest[9]
    with pytest.raises(InputError, match=rf"start: candidate {LEFT[2]} is in the test set .* set replay\.test to 0"):
        without(replace(task_of(np.arange(N)), start=int(LEFT[2])), LEFT)


def labelled(folder: Path, basis: int = 3) -> LabelledRows:
    """Rows and labels of ten structures of two atoms; the last two are hard to predict."""
    ends, rng = offsets([2] * 10), np.random.default_rng(4)
    rows, values = rng.normal(size=(ends[-1], basis)), rng.normal(size=ends[-1])
    values[ends[8] :] *= 100
    write_array(folder / "0-10.npy", rows)
    return LabelledRows([folder / "0-10.npy"], Labels(np.full(10, 2), values, np.full(10, "")))


def test_all_designs_are_judged_on_one_set_even_if_one_trains_on_what_is_hard(tmp_path):
    pool, known = labelled(tmp_path), np.zeros((2, 3))
    table = errors({"A": pool}, None, known, [{"A": [8, 9]}, {"A": [0, 1]}], {"A": np.array([2, 3, 9])})
    table = table.assign(design=[{0: "X", 1: "Y"}[k] for k in table["number"]], method="fps", budget=2)
    mine = judged(table, None).set_index("design")
    assert set(mine["test_set"]) == {COMMON} and mine["structures"].tolist() == [3, 3]
    # Potentials that are alike have the same error, whatever they were trained on.
    assert mine.loc["X", "force_rmse_mev"] == mine.loc["Y", "force_rmse_mev"]
    alone = table[table["test_set"] == "left_out"].set_index("design")["force_rmse_mev"]
    assert alone["X"] < 0.1 * alone["Y"]


def test_errors_have_intervals_over_test_sets_like_it(tmp_path):
    pool, known = labelled(tmp_path), np.zeros((2, 3))
    table = errors({"A": pool}, None, known, [{}, {}], {"A": np.arange(8)})
    for row in table[table["test_set"] == COMMON].to_dict("records"):
        for name in ("energy", "force"):
            assert row[f"{name}_low_mev"] < row[f"{name}_rmse_mev"] < row[f"{name}_high_mev"]
    # Where two structures out of ten decide, the interval says so.
    all_of_it = table[table["test_set"] == "all"].iloc[0]
    assert all_of_it["force_high_mev"] - all_of_it["force_low_mev"] > 0.5 * all_of_it["force_rmse_mev"]


def curve(**columns) -> pd.DataFrame:
    rows = [("RND", "random", b, draw, 80 / b) for b in (2, 4, 8) for draw in (0, 1)]
    rows += [("OPT", "maxmin", b, 0, 40 / b) for b in (2, 4, 8)]
    table = pd.DataFrame(rows, columns=["design", "method", "budget", "draw", "energy_rmse_mev"])
    measures = {"energy_q99_mev": table["energy_rmse_mev"], "force_rmse_mev": table["energy_rmse_mev"]}
    return table.assign(test_set=COMMON, group="", **measures, **columns)


def test_the_figure_and_the_equivalents_are_of_the_common_set():
    ends = {f"{name}_{end}_mev": 1.0 for name in ("energy", "force") for end in ("low", "high")}
    figure = errors_figure(curve(**ends), {"RND": "random", "OPT": "maxmin"}, core=None)
    assert "common test set" in figure.axes[0].get_title(loc="left")
    worse = curve().assign(test_set="left_out", energy_rmse_mev=1e3)
    table = equivalents(pd.concat([curve(), worse]), core=None)
    assert table.query("budget == 4 and measure == 'energy_rmse_mev'")["random_structures"].item() == pytest.approx(8)


def study(**replay) -> Study:
    pools = {"names": ["A", "B"], "size": 100, "sampler": "file", "file": {"path": "x.extxyz"}}
    return parse({
        "prototypes": {"fcc": {"element": "Cu", "lattice": "fcc", "a": 3.6}},
        "pools": pools,
        "designs": {"OPT": {"pool": "A", "method": "maxmin"}},
        "labels": {"engine": "file", "file": {"paths": ["x.extxyz"]}},
        "replay": {"budgets": [10]} | replay,
    })  # fmt: skip


def test_a_fifth_is_left_out_unless_there_is_a_core():
    assert (study().replay.tested, study(core="B").replay.tested, study(test=0).replay.tested) == (0.2, 0.0, 0.0)
    assert study(core="B", test=0.1).replay.tested == 0.1
    for verb in ("replay-choose", "replay-fit", "replay-bounds"):
        job = jobs()[verb]
        assert job.load(job.part(At(study(), "OPT"))).test == 0.2


@pytest.mark.parametrize(
    ("replay", "sentence"),
    [
        ({"budgets": [81]}, "replay.budgets: 81 candidates are more than the 80 that replay.test leaves of 100 candid"),
        ({"test": "C"}, "replay.test: 'C' is not a pool that can be kept for the test; give a share such as 0.2, or"),
        ({"test": "B", "core": "B"}, "replay.test: 'B' is not a pool that can be kept for the test"),
        ({"test": "A"}, "designs.OPT.pool: 'A' is replay.test; choose from another pool."),
    ],
)
def test_a_test_set_that_cannot_be_is_named(replay, sentence):
    with pytest.raises(InputError) as error:
        check(study(**replay))
    assert sentence in str(error.value)
    check(study(test="B"))
    with pytest.raises(InputError, match=r"replay\.test"):
        study(test=1.5)
