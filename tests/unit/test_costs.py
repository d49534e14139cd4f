"""What labels cost: estimates of engines, numbers of frames, and power laws against closed forms."""

from __future__ import annotations

import json

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from gapdesign import cli, engines
from gapdesign.config import study as config
from gapdesign.config.part import At
from gapdesign.engines.options import LabelOptions
from gapdesign.errors import InputError
from gapdesign.files import read_array, write_frames
from gapdesign.inputs.carried import packed
from gapdesign.inputs.frames import read
from gapdesign.methods.costs import CostOptions, Law, Prices, costs_of
from gapdesign.structures import pack, write_batch

EAM = engines.make("eam", LabelOptions())


def cells(count: int = 4) -> list[Atoms]:
    return [bulk("Cu", "fcc", a=3.6).repeat((1, 1, k + 1)) for k in range(count)]


def timed(tmp_path, values, name="hours") -> str:
    frames = cells(len(values))
    for atoms, value in zip(frames, values, strict=True):
        if value is not None:
            atoms.info[name] = value
    write_frames(tmp_path / "timed.extxyz", frames)
    return str(tmp_path / "timed.extxyz")


def test_an_engine_estimates_the_costs_of_all_candidates():
    found = costs_of(pack(cells()), Prices(CostOptions(), EAM))
    assert found.dtype == np.float64
    assert found.tolist() == [EAM.core_hours(atoms) for atoms in cells()]


@pytest.mark.parametrize(
    ("options", "factor"), [({}, 1.0), ({"unit": "seconds"}, 1 / 3600), ({"unit": "seconds", "cores": 32}, 32 / 3600)]
)
def test_frames_carry_their_costs_in_any_unit(tmp_path, options, factor):
    batch = packed(list(read(timed(tmp_path, [2.0, 0.5, 7, 1e4]), "pools.file.path")))
    found = costs_of(batch, Prices(CostOptions(source="column", column="hours", **options)))
    assert found == pytest.approx(np.array([2.0, 0.5, 7, 1e4]) * factor)


@pytest.mark.parametrize(
    ("value", "says"),
    [(None, "has no value; give a number."), (-1.0, "has -1.0, not a cost above 0."), ("x", "has 'x'; give a number.")],
)
def test_a_frame_without_a_cost_is_named(tmp_path, value, says):
    path = timed(tmp_path, [1.0, value, 1.0])
    batch = packed(list(read(path, "pools.file.path")))
    with pytest.raises(InputError) as caught:
        costs_of(batch, Prices(CostOptions(source="column", column="hours")))
    assert str(caught.value) == f"costs.column: hours: frame 1 of '{path}' {says}"
    with pytest.raises(InputError) as caught:
        Prices(CostOptions(source="measured", column="hours", path=path, against="electrons"))
    assert str(caught.value) == f"costs.column: hours: frame 1 of '{path}' {says}"


def test_candidates_of_no_file_carry_nothing():
    with pytest.raises(InputError, match=r"^costs\.source: candidate 0 is no frame of a file, and carries no hours;"):
        costs_of(pack(cells()), Prices(CostOptions(source="column", column="hours")))


def test_what_costs_nothing_is_no_cost():
    with pytest.raises(InputError, match=r"^costs\.source: the label of candidate 0 would cost 0 core-hours, and a"):
        costs_of(pack(cells()), lambda atoms: 0.0)


@pytest.mark.parametrize(("against", "per_atom"), [("electrons", 11.0), ("engine", EAM.core_hours(cells(1)[0]))])
def test_an_exact_power_law_is_found(tmp_path, against, per_atom):
    """Copper has eleven valence electrons, and the embedded-atom engine takes its time per atom."""
    values = [0.25 * (per_atom * n) ** 2.5 for n in (1, 2, 3, 4, 5)]
    said = []
    options = CostOptions(source="measured", column="t", path=timed(tmp_path, values, "t"), against=against)
    prices = Prices(options, EAM, said.append)
    for n in (1, 7):
        atoms = bulk("Cu", "fcc", a=3.9).repeat((n, 1, 1))
        assert prices(atoms) == pytest.approx(0.25 * (per_atom * n) ** 2.5, rel=1e-9)
    assert said[0].startswith("law of 5 frames of ") and "0.25 times the 2.5th power of" in said[0]
    assert said[0].endswith("measured costs scatter by a factor of 1.00")


def test_the_law_keeps_the_sum_of_what_was_measured(tmp_path):
    """Least squares of logarithms alone would be short of it by the scatter."""
    rng = np.random.default_rng(1)
    values = [float(n**2 * np.exp(0.8 * rng.normal())) for n in range(1, 9)]
    options = CostOptions(source="measured", column="t", path=timed(tmp_path, values, "t"), against="electrons")
    law = Law.of(options, None)
    assert sum(map(law, cells(8))) == pytest.approx(sum(values))
    slope = np.polyfit(np.log([11 * n for n in range(1, 9)]), np.log(values), 1)[0]
    assert law.power == pytest.approx(slope)


def test_a_power_needs_several_sizes(tmp_path):
    frames = [bulk("Cu", "fcc", a=a) for a in (3.5, 3.6)]
    for atoms in frames:
        atoms.info["t"] = 1.0
    write_frames(tmp_path / "timed.extxyz", frames)
    options = CostOptions(source="measured", column="t", path=str(tmp_path / "timed.extxyz"), against="electrons")
    with pytest.raises(InputError, match=r"^costs\.path: all frames of .* are of one size, and a power needs several"):
        Law.of(options, None)


def study(**changes) -> config.Study:
    given = {
        "prototypes": {"fcc": {"element": "Cu", "lattice": "fcc", "a": 3.6}},
        "pools": {"names": ["A"], "size": 4},
        "designs": {"D": {"pool": "A", "method": "maxmin"}},
        "budget": {"core_hours": 2.5},
        "labels": {"engine": "eam"},
    }
    return config.parse(given | changes)


def test_the_verb_writes_the_costs_of_a_shard(tmp_path):
    write_batch(tmp_path / "0-4.npz", pack(cells()))
    part = cli.jobs()["costs"].part(At(study(), pool_name="A"))
    output = tmp_path / "costs.npy"
    assert (
        cli.main(["costs", "--config", part, "--candidates", str(tmp_path / "0-4.npz"), "--output", str(output)]) == 0
    )
    assert read_array(output).tolist() == [EAM.core_hours(atoms) for atoms in cells()]


def test_costs_that_frames_carry_do_not_depend_on_the_engine():
    costs = {"source": "column", "column": "t"}
    job, other = cli.jobs()["costs"], {"engine": "gpaw"}
    parts = [job.part(At(study(costs=costs, labels=labels), pool_name="A")) for labels in ({"engine": "eam"}, other)]
    assert parts[0] == parts[1]
    parts = [job.part(At(study(labels=labels), pool_name="A")) for labels in ({"engine": "eam"}, other)]
    assert parts[0] != parts[1]


@pytest.mark.parametrize("verb", ["select", "quality", "curves", "labels", "label", "regrow", "page", "replay-choose"])
def test_parts_of_a_study_without_core_hours_say_nothing_of_them(verb):
    """What was made before there were such budgets is not made again."""
    text = cli.jobs()[verb].part(At(study(budget=3), "D", "A"))
    assert "at_most" not in text and '"costs"' not in text
    job = cli.jobs()[verb]
    assert job.load(text).text() in text or json.loads(job.load(text).text()).items() <= json.loads(text).items()


def test_another_source_of_costs_redoes_what_shows_them():
    usual, other = study(budget=3), study(budget=3, costs={"cores": 2})
    changed = {
        verb
        for verb, job in cli.jobs().items()
        if job.reads is not None
        and not verb.startswith("replay")
        and job.part(At(usual, "D", "A")) != job.part(At(other, "D", "A"))
    }
    assert changed == {"costs", "quality", "curves", "page", "plan", "estimate", "provenance", "report"}
