"""Pools that grow: sizes and shards, the rule by brute force, empty shards, parts of jobs, mistakes, plan and page."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from ase import Atoms

from conftest import SMALL
from gapdesign import cli
from gapdesign.config import study
from gapdesign.config.part import At
from gapdesign.descriptors.environments import EnvironmentPool
from gapdesign.errors import InputError
from gapdesign.files import read_array, write_array, write_frames, write_json
from gapdesign.methods import Task
from gapdesign.methods.growth import Growth, Reach, covering_radius, judged
from gapdesign.methods.maxmin.compression import Directions
from gapdesign.methods.maxmin.state import State
from gapdesign.methods.shared.distance import total
from gapdesign.planning.table import candidates, ends
from gapdesign.report import designs_table, growth_table
from gapdesign.rows.pool import RowPool, write_rows
from gapdesign.samplers.shared.growth import GrowthOptions
from gapdesign.shards import FeaturePool, HeldPool, cut, filled
from gapdesign.structures import pack, read_batch, write_batch
from toy_pools import COVARIANCE, LAYOUT, features, task

JOBS = cli.jobs()
GROWING = {"until": 0.1, "at_least": 20, "at_most": 100}


def growing(pools: dict | None = None, /, **changes) -> study.Study:
    """The small study, whose pool A grows."""
    overrides = {"A": {"size": GROWING}}
    return study.parse(SMALL | {"pools": SMALL["pools"] | {"overrides": overrides} | (pools or {})} | changes)


# Sizes and shards.


@pytest.mark.parametrize(
    ("given", "sizes"),
    [
        ({"at_least": 20, "at_most": 160}, (20, 40, 80, 160)),
        ({"at_least": 20, "at_most": 100}, (20, 40, 80, 100)),
        ({"at_least": 20, "at_most": 21}, (20, 21)),
        ({"at_most": 40_000}, (5000, 10_000, 20_000, 40_000)),
    ],
)
def test_a_pool_doubles_from_the_least_to_the_most(given, sizes):
    assert GrowthOptions(until=0.1, **given).sizes == sizes


def test_no_shard_crosses_a_size_at_which_the_pool_may_end():
    assert cut((20, 40, 50), 15) == [(0, 15), (15, 20), (20, 35), (35, 40), (40, 50)]
    assert cut(35, 15) == cut((35,), 15) == [(0, 15), (15, 30), (30, 35)]
    options = growing().pools
    assert options.of("A").shards == cut((20, 40, 80, 100), 30)
    assert options.of("B").shards == [(0, 30), (30, 60)]
    assert (options.of("A").most, options.of("B").most) == (100, 60)


# The rule, by every distance.


def distances(rows: np.ndarray) -> np.ndarray:
    return np.sqrt(np.array([COVARIANCE.distance2(rows, row) for row in rows]))


def greedy(table: np.ndarray, budget: int, known: np.ndarray, mean: np.ndarray) -> list[int]:
    """The max-min order by the whole table of distances; structures known already come behind the pool in it."""
    size, chosen = len(mean), []
    for _ in range(budget):
        before = [*known, *chosen]
        nearest = table[:size, before].min(axis=1) if before else mean
        nearest = np.where(np.isin(np.arange(size), chosen), -1, nearest)
        chosen.append(int(np.argmax(nearest)))
    return chosen


def task_of(rows: np.ndarray, budget: int, existing: np.ndarray | None = None) -> Task:
    basis = Directions.of(rows, LAYOUT)
    return task(rows, budget, compressed=HeldPool(basis.compress(rows)), basis=basis, existing=existing)


@pytest.mark.parametrize("count", [0, 3])
def test_radii_are_those_of_all_distances(count):
    rows, known = features(80, seed=3), features(count, seed=9) if count else None
    together = rows if known is None else np.concatenate([rows, known])
    table = distances(together)
    before, places = None, np.arange(80, 80 + count)
    for size in (20, 40, 80):
        mine = task_of(rows[:size], 6, known)
        mean = np.sqrt(COVARIANCE.distance2(rows[:size], mine.mean))
        chosen = greedy(table, 6, places, mean)
        found = judged({"known": mine}, before, until=0.5)
        (reach,) = found.last.values()
        assert list(reach.candidates) == chosen
        assert reach.radius == pytest.approx(table[:size, [*chosen, *places]].min(axis=1).max(), rel=1e-12)
        if before is None:
            assert (reach.half_before, reach.half_after, found.is_wide) == (None, None, False)
        else:
            half = [*before.last["known"].candidates, *places]
            assert reach.half_before == pytest.approx(table[: size // 2, half].min(axis=1).max(), rel=1e-12)
            assert reach.half_after == pytest.approx(table[:size, half].min(axis=1).max(), rel=1e-12)
            assert reach.rise == pytest.approx(reach.half_after / reach.half_before - 1)
            assert reach.fall == pytest.approx(1 - reach.radius / reach.half_after)
        before = replace(found, is_wide=False)
    assert [reach.size for reach in before.reaches] == [20, 40, 80]


def test_the_radius_of_any_design_is_that_of_all_distances_and_zero_where_all_coincide():
    rows = features(50, seed=4)
    table = distances(rows)
    for design in ([0], [7, 3], list(range(0, 50, 5))):
        found = covering_radius(task_of(rows, 5), design)
        assert found == pytest.approx(table[:, design].min(axis=1).max(), rel=1e-12)
    same = np.repeat(rows[:2], 10, axis=0)
    assert covering_radius(task_of(same, 5), [0, 19]) == 0
    (reach,) = judged({None: task_of(same, 5)}, None, until=0.1).last.values()
    assert len(reach.candidates) == 2
    assert reach.radius == 0


def reach(size: int, radius: float, before: float | None = None, after: float | None = None, **given) -> Reach:
    return Reach(**{"size": size, "existing": None, "candidates": (1, 0)} | given, radius=radius, half_before=before,
                 half_after=after)  # fmt: skip


@pytest.mark.parametrize(
    ("before", "after", "radius", "rise", "fall", "is_wide"),
    [
        (1.0, 1.1, 1.0, 0.1, 0.1 / 1.1, True),
        (1.0, 1.11, 1.05, 0.11, 0.06 / 1.11, False),  # the half left more than it knew
        (1.0, 1.0, 0.8, 0.0, 0.2, False),  # a design from all covers the same candidates better
        (1.0, 1.05, 1.2, 0.05, -0.15 / 1.05, True),
        (0.0, 0.0, 0.0, 0.0, 0.0, True),
        (0.0, 0.1, 0.0, math.inf, 1.0, False),
    ],
)
def test_a_pool_is_wide_when_no_radius_changed_by_more_than_was_asked(before, after, radius, rise, fall, is_wide):
    one = reach(40, radius, before, after)
    assert one.rise == pytest.approx(rise)
    assert one.fall == pytest.approx(fall)
    assert one.is_wide(0.1 + 1e-12) == is_wide
    assert not reach(20, 1.0).is_wide(0.9)  # nothing to compare with


def test_every_set_that_designs_continue_must_be_content():
    rows, known = features(80, seed=3), np.concatenate([features(80, seed=3)[40:], features(3, seed=1)])
    before = judged({None: task_of(rows[:40], 6), "known": task_of(rows[:40], 6, known)}, None, until=0.1)
    after = judged({None: task_of(rows, 6), "known": task_of(rows, 6, known)}, before, until=0.1)
    assert (after.last["known"].rise, after.last["known"].fall) == (0.0, 0.0)  # what is new is known
    change = max(after.last[None].rise, after.last[None].fall)
    assert change > 0.05
    tasks = {None: task_of(rows, 6), "known": task_of(rows, 6, known)}
    assert judged(tasks, before, until=change).is_wide
    assert not judged(tasks, before, until=0.99 * change).is_wide


def test_a_pool_that_has_ended_is_not_judged_again():
    ended = Growth(True, (reach(20, 1.0), reach(40, 1.0, 1.0, 1.0)))
    assert judged({}, ended, until=0.1) is ended
    assert ended.size == 40


def test_what_is_found_is_read_as_it_was_written(tmp_path):
    found = Growth(False, (reach(20, 1 / 3), reach(40, 0.1, 0.2, 0.3, existing="a.xyz")))
    found.write(tmp_path / "40.json")
    assert Growth.read(tmp_path / "40.json") == found
    write_json(tmp_path / "else.json", {"is_wide": True, "reaches": [{"size": 3}]})
    with pytest.raises(InputError, match=r"else\.json: not the growth of a pool"):
        Growth.read(tmp_path / "else.json")


# Empty shards behind the end.


def test_shards_behind_the_end_are_left_out():
    assert [filled(lengths) for lengths in ([3, 3, 1], [3, 3, 0, 0], [3, 0, 3, 0], [0, 0])] == [3, 2, 3, 1]


def test_a_pool_in_files_ends_where_empty_shards_begin(tmp_path):
    rows = features(30)
    for start, stop in cut((20, 30, 60), 10):
        write_array(tmp_path / f"{start}-{stop}.npy", rows[start:stop])
    pool = FeaturePool(sorted(tmp_path.glob("*.npy")))
    assert (pool.size, pool.ranges(100)) == (30, [(0, 10), (10, 20), (20, 30)])
    assert np.array_equal(pool.held().block(0, 30), rows)
    write_array(tmp_path / "10-20.npy", rows[:0])
    with pytest.raises(InputError, match=r"10-20\.npy: its shape \(0, \d+\) does not match its name"):
        FeaturePool(sorted(tmp_path.glob("*.npy")))


@pytest.fixture
def empty(tmp_path, monkeypatch):
    """A folder with the configuration of a pool that ended, and the shards before and behind its end."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_text(json.dumps(SMALL | {"pools": SMALL["pools"] | {"size": GROWING}}))
    ended = Growth(True, (reach(20, 1.0), reach(40, 1.0, 1.0, 1.0)))
    ended.write(tmp_path / "wide.json")
    replace(ended, is_wide=False).write(tmp_path / "narrow.json")
    return tmp_path


def run(*words: object) -> None:
    assert cli.main([str(word) for word in words]) == 0


def test_shards_behind_the_end_have_no_candidates_and_all_that_reads_one_shard_knows(empty, capsys):
    one = ("--config", "config.yaml", "--pool", "A", "--start", 40, "--stop", 44)
    run("candidates", *one, "--growth", "narrow.json", "--output", "as-always.npz")
    run("candidates", *one, "--output", "without.npz")
    assert (empty / "as-always.npz").read_bytes() == (empty / "without.npz").read_bytes()
    run("candidates", *one, "--growth", "wide.json", "--output", "40-44.npz")
    assert "no candidates: pool A is wide enough with 40, and ended there" in capsys.readouterr().err
    batch = read_batch("40-44.npz")
    assert len(batch) == 0
    assert batch.cells.shape == (0, 3, 3)
    given = ("--config", "config.yaml", "--candidates")
    for name in ("40-44", "without"):
        outputs = ("--output", f"{name}.npy", "--output-sum", f"{name}-sum.npy")
        run("descriptors", *given, f"{name}.npz", *outputs, "--output-environments", f"{name}-environments.npz")
        run("costs", *given, f"{name}.npz", "--output", f"{name}-costs.npy")
    there, none = read_array("without.npy"), read_array("40-44.npy")
    assert (none.shape, none.dtype) == ((0, there.shape[1]), there.dtype)
    assert not read_array("40-44-sum.npy").any()
    assert read_array("40-44-costs.npy").shape == (0,)
    (empty / "0-4.npz").write_bytes((empty / "without-environments.npz").read_bytes())
    (empty / "4-8.npz").write_bytes((empty / "40-44-environments.npz").read_bytes())
    assert len(EnvironmentPool(["0-4.npz", "4-8.npz"])) == 4
    run("basis", "--config", "config.yaml", "--features", "without.npy", "--output", "basis.npz")
    for name in ("40-44", "without"):
        given = ("--features", f"{name}.npy", "--output", f"{name}-z.npy", "--output-codes", f"{name}-c.npy")
        run("compress", "--config", "config.yaml", "--basis", "basis.npz", *given)
    for kind in "zc":
        there, none = read_array(f"without-{kind}.npy"), read_array(f"40-44-{kind}.npy")
        assert (none.shape, none.dtype) == ((0, there.shape[1]), there.dtype)


def test_rows_of_no_structures_end_a_pool_too(tmp_path):
    write_rows(tmp_path / "0-2.npz", [np.ones((10, 4), np.float32)] * 2)
    write_rows(tmp_path / "2-4.npz", [], 4)
    assert len(RowPool([tmp_path / "0-2.npz", tmp_path / "2-4.npz"])) == 2


def test_empty_shards_are_written_like_any_other(tmp_path):
    write_batch(tmp_path / "0-1.npz", pack([Atoms("Zr", cell=[3, 3, 3], pbc=True)]))
    write_batch(tmp_path / "1-2.npz", pack([]))
    run("refused", "--candidates", tmp_path / "0-1.npz", tmp_path / "1-2.npz", "--output", tmp_path / "refused.csv")
    table = pd.read_csv(tmp_path / "refused.csv")
    assert table["candidates"].tolist() == [1]


def test_a_selection_continues_beyond_the_end_of_a_pool_that_grew(tmp_path):
    """The sums of empty shards are zero, so that the state is of the candidates that are there."""
    rows = features(30)
    sums = []
    for start, stop in cut((20, 30, 60), 10):
        sums.append(tmp_path / f"{start}-{stop}.npy")
        write_array(sums[-1], total(rows[start:stop]))
    State(30, np.arange(3), np.ones(4), {}).write(tmp_path / "state.npz", "me", sums)
    assert State.read(tmp_path / "state.npz", "me", sums).size == 30


# What jobs read.


def test_other_pools_have_the_parts_that_they_had():
    at, beside = At(study.parse(SMALL), "RND", "B"), At(growing(), "RND", "B")
    assert "halvings" not in json.loads(JOBS["regrow"].part(at))
    assert json.loads(JOBS["grow"].part(at))["until"] is None
    whole = {"plan", "estimate", "page", "report", "provenance", "figures"}
    whole |= {verb for verb in JOBS if verb.startswith(("replay", "round"))}
    for verb, job in JOBS.items():
        if job.reads is not None and verb not in whole:
            assert job.part(beside) == job.part(at), verb


def test_the_limit_is_a_matter_of_judging_alone_and_the_most_is_not_even_that():
    usual = growing()
    other = growing({"overrides": {"A": {"size": GROWING | {"until": 0.2}}}})
    wider = growing({"overrides": {"A": {"size": GROWING | {"at_most": 160}}}})
    verbs = ("candidates", "descriptors", "basis", "compress", "select", "curves")
    for verb in verbs:
        parts = {JOBS[verb].part(At(each, "OPT", "A")) for each in (usual, other, wider)}
        assert len(parts) == 1, verb
    of = [JOBS["grow"].part(At(each, pool_name="A")) for each in (usual, other, wider)]
    assert of[0] != of[1]
    assert of[0] == of[2]


def test_designs_are_judged_by_the_largest_budget_and_each_set_that_they_continue(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_frames("mine.xyz", [Atoms("Zr", cell=[3, 3, 3], pbc=True)])
    designs = {
        "OPT": {"pool": "A", "method": "maxmin"},
        "MORE": {"pool": "A", "method": "random", "budget": 15},
        "NEXT": {"pool": "A", "method": "maxmin", "existing": "mine.xyz"},
    }
    read = JOBS["grow"].load(JOBS["grow"].part(At(growing(designs=designs), pool_name="A")))
    assert (read.budget, read.existing, read.until) == (15, (None, "mine.xyz"), 0.1)


def test_smaller_pools_are_parts_of_the_pool_that_came_out():
    job = JOBS["regrow"]
    read = job.load(job.part(At(growing(), "OPT")))
    assert [read.sizes(size) for size in (100, 80, 40, 20)] == [(25, 50), (20, 40), (20,), ()]
    assert study.parse(SMALL).subpools("OPT") == [30]
    fixed = job.load(job.part(At(study.parse(SMALL), "OPT")))
    assert fixed.sizes(60) == (30,)


def test_a_pool_of_a_number_is_not_judged(empty, capsys):
    (empty / "config.yaml").write_text(json.dumps(SMALL))
    words = ["grow", "--config", "config.yaml", "--pool", "A", "--features", "0-1.npy", "--sums", "0-1.npy"]
    assert cli.main([*words, "--output", "20.json"]) == 2
    assert "gapdesign grow: --pool A: its size is a number, so that it does not grow." in capsys.readouterr().err


# Mistakes.


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ({"at_most": 100}, r"pools\.size\.until: this key is missing"),
        ({"until": 0.1}, r"pools\.size\.at_most: this key is missing"),
        (GROWING | {"until": 0}, r"pools\.size\.until: 0.* is not valid; .*greater than 0"),
        (GROWING | {"until": -0.1}, r"pools\.size\.until: -0\.1 is not valid; .*greater than 0"),
        (GROWING | {"until": 1.5}, r"pools\.size\.until: 1\.5 is not valid; .*less than 1"),
        (
            GROWING | {"at_most": 10},
            r"pools\.size: .*begins with 20 candidates .* cannot grow to 10 .*; raise `at_most`",
        ),
        (GROWING | {"at_most": 20}, r"pools\.size: .*cannot grow to 20"),
        (GROWING | {"at_most": "all"}, r"pools\.size\.at_most: 'all' is not valid; give a whole number"),
        (GROWING | {"factor": 2}, r"pools\.size\.factor: unknown key"),
        ({"until": 0.1, "at_most": 3000}, r"pools\.size: .*begins with 5000 candidates \(`at_least`\)"),
    ],
)
def test_sizes_that_make_no_sense_are_refused(size, message):
    with pytest.raises(InputError, match=message):
        study.parse(SMALL | {"pools": SMALL["pools"] | {"size": size}})


GROWING_B = {"overrides": {"B": {"size": GROWING}}}
FRAMES = {"overrides": {"A": {"size": GROWING, "sampler": "file", "file": {"path": "mine.xyz"}}}}
LATER = {"overrides": {"B": {"size": GROWING, "sampler": "biased", "biased": {"after": "OPT"}}}}
OPT = {"OPT": {"pool": "A", "method": "maxmin"}}
NEXT = OPT | {"NEXT": {"pool": "B", "method": "random", "after": {"design": "OPT"}, "budget": 15}}


@pytest.mark.parametrize(
    ("pools", "changes", "message"),
    [
        (FRAMES, {}, "size: pool A has the sampler `file`, .* does not grow; give it a number of candidates, or `all`"),
        (LATER, {"designs": NEXT}, "size: pool B is sampled after the labels of OPT, .*; give it a number"),
        (GROWING_B, {"designs": OPT}, "size: pool B grows until .* no design is chosen from it"),
        ({}, {"kernel": {"structure": "rematch"}}, "size: whether pool A is wide enough .*structure is 'rematch'"),
        ({}, {"budget": 21}, r"21 structures cannot be chosen from pools of 20; .* raise pools\.size\.at_least"),
        ({}, {"designs": {"OPT": OPT["OPT"] | {"start": 30}}}, r"OPT\.start: 30 is not in a pool of 20"),
    ],
)
def test_pools_that_cannot_grow_are_refused(pools, changes, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_frames("mine.xyz", [Atoms("Zr", cell=[3, 3, 3], pbc=True)])
    with pytest.raises(InputError, match=message):
        study.check(growing(pools, **changes))


def test_a_budget_of_core_hours_has_no_more_structures_than_the_pool_begins_with():
    designs = {"OPT": {"pool": "A", "method": "maxmin", "budget": {"core_hours": 1e-3}}}
    study.check(found := growing(designs=designs))
    assert found.budget_of("OPT") == 20


# What people read.


def test_a_plan_says_the_most_and_that_it_may_end_early():
    pools = growing().pools
    assert (candidates(pools.of("A")), candidates(pools.of("B"))) == ("20 to 100", "60")
    assert ends(pools.of("A")) == " (until a doubling changes the covering radius by no more than 10 %)"
    assert ends(pools.of("B")) == ""


def test_pages_say_where_a_pool_ended_and_by_what():
    configuration = growing().model_dump(mode="json")
    found = Growth(True, (reach(20, 0.5), reach(40, 0.54, 0.5, 0.6), reach(80, 0.55, 0.54, 0.56)))
    section = growth_table.section(pd.DataFrame(found.rows("A")), configuration)
    assert section["sentences"] == [
        "Pool A grew to 80 of at most 100 candidates. The last doubling raised the covering radius of the design from"
        " the half by 3.70 %, and that from all candidates lowers it by 1.79 %: it is wide enough."
    ]
    assert [row["candidates"] for row in section["rows"]] == [20, 40, 80]
    whole = Growth(False, (*found.reaches, reach(100, 0.6, 0.55, 0.7)))
    (sentence,) = growth_table.section(pd.DataFrame(whole.rows("A")), configuration)["sentences"]
    assert sentence.startswith("Pool A grew to 100 candidates. The last step still raised")
    assert sentence.endswith("it is not yet as wide as 10.0 % asks for.")
    assert growth_table.section(None, configuration)["rows"] == []
    table = pd.DataFrame({"pool": ["A", "B"], "candidates": [80, 60], "draws": [80, 60], "distance": [0, 0]})
    shown = designs_table.candidates(table, configuration)
    assert shown["grown"] == ["Pool A grew to 80 of at most 100 candidates."]
