"""Frames of one's own, by one line: the same picks as a study's, labels kept, and mistakes named."""

import io
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import yaml
from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import read, write

import gapdesign
from gapdesign import cli
from gapdesign.descriptors.covariance import Covariance, Layout
from gapdesign.descriptors.kernel import CovarianceOptions, PairKernelOptions, SoapKernelOptions
from gapdesign.engines import ENGINES
from gapdesign.methods.shared.distance import mean_descriptor, total
from gapdesign.sets.held import FrameSet
from gapdesign.sets.nearest import repeats


@pytest.fixture(autouse=True)
def frames(tmp_path, monkeypatch) -> list[Atoms]:
    """Frames of two groups in ``frames.xyz``, with labels, one of them twice, and an isolated atom."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(5)
    made = []
    for number in range(24):
        atoms = bulk("Cu", "fcc", a=3.6, cubic=True) if number % 3 else bulk("CuZr", "cesiumchloride", a=3.26)
        atoms.rattle(0.02 * (1 + number % 5), seed=number)
        atoms.info = {"config_type": "alloy" if number % 3 == 0 else "copper", "dft_energy": -1.5 * number}
        atoms.calc = SinglePointCalculator(atoms, energy=float(number), forces=rng.random((len(atoms), 3)))
        made.append(atoms)
    made.append(made[7].copy())
    made[-1].info["config_type"] = "copper"
    lone = Atoms("Cu", cell=[20, 20, 20], pbc=True)
    write("frames.xyz", [*made[:10], lone, *made[10:]])
    return made


def run(*arguments: str) -> int:
    return cli.main(["pick", *arguments])


def test_a_pick_is_that_of_the_study_that_it_prints(capsys):
    assert run("frames.xyz", "7") == 0
    study = yaml.safe_load(capsys.readouterr().out)
    Path("study.yaml").write_text(yaml.safe_dump(study))
    config = ["--config", "study.yaml"]
    shard = ["--pool", "A", "--start", "0", "--stop", "25", "--output", "0-25.npz"]
    assert cli.main(["candidates", *config, *shard]) == 0
    described = ["--candidates", "0-25.npz", "--output", "0-25.npy", "--output-sum", "sum.npy"]
    assert cli.main(["descriptors", *config, *described]) == 0
    assert cli.main(["basis", *config, "--features", "0-25.npy", "--output", "basis.npz"]) == 0
    Path("compressed").mkdir()
    compressed = ["--basis", "basis.npz", "--features", "0-25.npy", "--output", "compressed/0-25.npy"]
    assert cli.main(["compress", *config, *compressed]) == 0
    pool = ["--candidates", "0-25.npz", "--features", "0-25.npy", "--sums", "sum.npy", "--basis", "basis.npz"]
    outputs = ["--output", "design.extxyz", "--output-features", "design.npy"]
    selected = ["select", *config, "--design", "PICKED", *pool, "--compressed", "compressed/0-25.npy", *outputs]
    assert cli.main(selected) == 0
    design, picked = read("design.extxyz", ":"), read("picked.extxyz", ":")
    # Candidates do not count the isolated atom.
    assert [atoms.info["source_frame"] for atoms in design] == [atoms.info["pick_frame"] for atoms in picked]
    assert [atoms.info["distance"] for atoms in design] == [atoms.info["pick_distance"] for atoms in picked]


def test_picked_frames_are_those_of_the_file_with_their_labels():
    assert run("frames.xyz", "6", "--output", "chosen.extxyz") == 0
    given = read("frames.xyz", ":")
    for rank, atoms in enumerate(read("chosen.extxyz", ":")):
        source = given[atoms.info["pick_frame"]]
        assert atoms.info["pick_rank"] == rank
        assert atoms.info["dft_energy"] == source.info["dft_energy"]
        assert atoms.get_potential_energy() == source.get_potential_energy()
        np.testing.assert_array_equal(atoms.get_forces(), source.get_forces())
        np.testing.assert_array_equal(atoms.positions, source.positions)


def test_what_is_read_and_covered_is_said(capsys):
    assert run("frames.xyz", "24") == 0
    said = capsys.readouterr().err
    assert "25 frames of 2 to 4 atoms, 17 of Cu4, 8 of CuZr; again: 1; isolated atoms left out: 1" in said
    assert "at most 0.000 from the nearest picked" in said


def test_existing_frames_are_not_chosen_again(frames, capsys):
    write("old.xyz", frames[:12])
    assert run("frames.xyz", "5", "--existing", "old.xyz") == 0
    assert min(atoms.info["pick_frame"] for atoms in read("picked.extxyz", ":")) > 11
    assert capsys.readouterr().out == ""
    assert run("frames.xyz", "5", "--existing", "frames.xyz") == 2
    assert "nothing is left to choose" in capsys.readouterr().err


def test_so_many_of_each_group():
    assert run("frames.xyz", "3", "--per-config-type", "--method", "fps") == 0
    assert [atoms.info["config_type"] for atoms in read("picked.extxyz", ":")] == ["alloy"] * 3 + ["copper"] * 3


def test_groups_that_are_left_out_are_named(frames, capsys):
    for number, atoms in enumerate(frames):
        atoms.info["config_type"] = f"group {number}"
    write("frames.xyz", frames)
    assert run("frames.xyz", "22") == 0
    picked = {atoms.info["config_type"] for atoms in read("picked.extxyz", ":")}
    said = capsys.readouterr().err
    assert all((f"group {number} (1)" in said) == (f"group {number}" not in picked) for number in range(25))


def plain(costs: np.ndarray, budget: float, features: np.ndarray, covariance: Covariance) -> list[int]:
    """Max-min by its definition: the farthest of all frames that what is left of the budget pays for."""
    able = np.flatnonzero(costs <= budget)
    mean = mean_descriptor(total(features[able]), len(able), covariance.layout)
    chosen = [int(able[np.argmax(covariance.distance2(features[able], mean))])]
    while True:
        left = budget - costs[chosen].sum()
        nearest = [covariance.distance2(features[chosen], row).min() for row in features]
        able = [
            k for k in range(len(costs)) if k not in chosen and costs[k] <= left and nearest[k] > covariance.overlap
        ]
        if not able:
            return chosen
        chosen.append(max(able, key=lambda k: (nearest[k], -k)))


@pytest.mark.parametrize("budget", [3.0, 17.0, 40.0, 1000.0])
def test_a_budget_of_core_hours_is_spent_on_the_farthest_frames_that_it_pays_for(budget, capsys):
    given = [atoms for atoms in read("frames.xyz", ":") if len(atoms) > 1]
    costs = np.random.default_rng(8).choice([0.5, 1.0, 2.5, 8.0], size=len(given))
    for atoms, cost in zip(given, costs, strict=True):
        atoms.info["hours"] = cost
        atoms.calc = None
    write("costly.xyz", given)
    assert run("costly.xyz", "--budget-core-hours", str(budget), "--cost", "hours", "--method", "maxmin") == 0
    picked = read("picked.extxyz", ":")
    described = FrameSet.of("costly.xyz", "costly.xyz", "FILE")
    found = gapdesign.features([frame.bare() for frame in described.frames], **described.description("dscribe"))
    expected = plain(costs, budget, found.values, found.covariance)
    assert [atoms.info["pick_frame"] for atoms in picked] == expected
    assert [atoms.info["pick_core_hours"] for atoms in picked] == costs[expected].tolist()
    spent = costs[expected].sum()
    assert spent <= budget and f"their labels cost {spent:.4g} of {budget:g} core-hours" in capsys.readouterr().err


@pytest.mark.parametrize("name", [name for name, engine in ENGINES.items() if engine.computes])
def test_every_engine_that_computes_estimates_costs(name):
    assert run("frames.xyz", "--budget-core-hours", "1e6", "--engine", name) == 0
    engine = ENGINES[name](ENGINES[name].Options())
    for atoms in read("picked.extxyz", ":"):
        assert atoms.info["pick_core_hours"] == pytest.approx(engine.core_hours(atoms))


def test_frames_come_from_standard_input(monkeypatch):
    assert run("frames.xyz", "4") == 0
    first = Path("picked.extxyz").read_text()
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(Path("frames.xyz").read_bytes())))
    assert run("-", "4") == 0
    assert Path("picked.extxyz").read_text() == first


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["frames.xyz", "0"], "ask for 1 to 25"),
        (["frames.xyz", "26"], "ask for 1 to 25"),
        (["frames.xyz", "9", "--per-config-type"], "has 8 frames with config_type alloy, not 9"),
        (["missing.xyz", "3"], "no file 'missing.xyz'"),
        (["frames.xyz", "3", "--output", "frames.xyz"], "this file is read"),
        (["frames.xyz", "3", "--method", "best"], "choose from bayesian"),
        (["frames.xyz", "3", "--method", "cur_environments"], "takes a study"),
        (["frames.xyz", "3", "--descriptor", "array"], "take a study"),
        (["frames.xyz", "3", "--descriptor", "soap"], "choose from ace"),
        (["frames.xyz"], "give a number of frames, or --budget-core-hours"),
        (["frames.xyz", "3", "--budget-core-hours", "2"], "and not both"),
        (["frames.xyz", "3", "--engine", "gpaw"], "go with --budget-core-hours"),
        (["frames.xyz", "--budget-core-hours", "nan"], "the cheapest frame costs"),
        (["frames.xyz", "--budget-core-hours", "1e-9"], "the cheapest frame costs"),
        (["frames.xyz", "--budget-core-hours", "inf"], "or N frames without a budget"),
        (["frames.xyz", "--budget-core-hours", "9", "--engine", "file"], "choose from ase"),
        (["frames.xyz", "--budget-core-hours", "9", "--cost", "hours"], "frame 0 of 'frames.xyz' has no value"),
        (["frames.xyz", "--budget-core-hours", "9", "--cost", "config_type"], "has 'alloy'"),
        (["frames.xyz", "--budget-core-hours", "9", "--cost", "dft_energy"], "not a cost above 0"),
        (["frames.xyz", "--budget-core-hours", "9", "--method", "k_medoids"], "chooses a design as a whole"),
        (["frames.xyz", "--budget-core-hours", "9", "--per-config-type"], "takes a number of frames of each"),
    ],
)
def test_a_mistake_is_one_sentence_and_writes_nothing(arguments, words, capsys):
    before = Path("frames.xyz").read_bytes()
    assert run(*arguments) == 2
    assert words in capsys.readouterr().err
    assert Path("frames.xyz").read_bytes() == before
    assert not Path("picked.extxyz").exists()


def test_repeats_are_those_of_all_pairs():
    rng = np.random.default_rng(2)
    rows = rng.random((60, 5)).astype(np.float32)[rng.integers(40, size=300)]
    linear = CovarianceOptions(soap=SoapKernelOptions(zeta=1, scale=1.0), pair=PairKernelOptions(scale=0.0))
    covariance = Covariance(Layout(1, 5, 0), linear)
    same = ((rows[:, None].astype(float) - rows) ** 2).sum(axis=-1) < 1e-12
    first = np.where(np.tril(same, -1).any(axis=1), same.argmax(axis=1), -1)
    np.testing.assert_array_equal(repeats(rows, covariance), first)
    assert (first >= 0).sum() > 200
