"""The verbs of the replay one after the other, on labels of copper that are there already."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from gapdesign import cli
from gapdesign.config import study as config
from gapdesign.files import read_array, read_csv, read_frames, write_frames
from labelled_copper import CANDIDATES, CORE, configuration

LONGEST = "budget == 4 and test_set == 'all' and group == ''"
SHARDS = {"core": [(0, CORE)], "rest": [(0, 5), (5, CANDIDATES)]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All that comes before the potentials."""
    pytest.importorskip("quippy")
    folder = tmp_path_factory.mktemp("replay")
    (folder / "config.yaml").write_text(yaml.safe_dump(configuration(folder)))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for pool, ranges in SHARDS.items():
            for start, stop in ranges:
                place = ["--pool", pool, "--start", str(start), "--stop", str(stop)]
                run("candidates", *place, "--output", f"candidates/{pool}/{start}-{stop}.npz")
                given = ["--candidates", f"candidates/{pool}/{start}-{stop}.npz"]
                outputs = [f"features/{pool}/{start}-{stop}.npy", "--output-sum", f"sums/{pool}/{start}-{stop}.npy"]
                run("descriptors", *given, "--output", *outputs)
        shards = [f"candidates/{pool}/{start}-{stop}.npz" for pool in SHARDS for start, stop in SHARDS[pool]]
        run("replay-points", "--candidates", *shards, "--output", "points.npz")
        for shard in shards:
            output = shard.replace("candidates", "rows").replace("npz", "npy")
            run("replay-rows", "--candidates", shard, "--points", "points.npz", "--output", output)
        for pool in SHARDS:
            mine = [shard for shard in shards if f"/{pool}/" in shard]
            run("replay-labels", "--pool", pool, "--candidates", *mine, "--output", f"labels/{pool}.npz")
        core = ["--labels", "labels/core.npz", "--rows", f"rows/core/0-{CORE}.npy"]
        outputs = ["--output", "start.npy", "--output-potential", "start.xml"]
        run("replay-start", "--points", "points.npz", *core, *outputs)
        choose("FPS")
        choose("RND")
        choose("MED")
        fit("FPS")
    return folder


def run(verb: str, *arguments: str, status: int = 0) -> None:
    config = [] if verb == "replay-potential" else ["--config", "config.yaml"]
    assert cli.main([verb, *config, *arguments]) == status


def choose(design: str) -> None:
    files = {flag: [f"{flag}/rest/{a}-{b}.{kind}" for a, b in SHARDS["rest"]] for flag, kind in
             (("candidates", "npz"), ("features", "npy"), ("sums", "npy"))}  # fmt: skip
    given = [text for flag, paths in files.items() for text in (f"--{flag}", *paths)]
    run("replay-choose", "--design", design, *given, "--output", f"choices/{design}.csv")


def everything() -> list[str]:
    rows = [f"rows/{pool}/{start}-{stop}.npy" for pool in SHARDS for start, stop in SHARDS[pool]]
    return ["--start", "start.npy", "--labels", "labels/core.npz", "labels/rest.npz", "--rows", *rows]


def fit(design: str) -> None:
    outputs = ["--output", f"fits/{design}.csv", "--output-coefficients", f"fits/{design}.npy"]
    run("replay-fit", "--design", design, "--choices", f"choices/{design}.csv", *everything(), *outputs)


@pytest.fixture
def here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(folder)
    return folder


def test_designs_are_chosen_for_every_budget(here: Path) -> None:
    table = read_csv(here / "choices/FPS.csv")
    long, short = (table[table["budget"] == budget]["candidate"].tolist() for budget in (4, 2))
    assert short == long[:2]
    drawn = read_csv(here / "choices/RND.csv").groupby("draw")["candidate"].apply(list)
    assert len(drawn) == 2
    assert drawn[0] != drawn[1]
    medoids = read_csv(here / "choices/MED.csv").groupby("budget")["candidate"].apply(set)
    assert {budget: len(members) for budget, members in medoids.items()} == {2: 2, 4: 4}


def test_errors_of_potentials_are_tabulated(here: Path) -> None:
    table = read_csv(here / "fits/FPS.csv")
    assert set(table["method"]) == {"fps"}
    sizes = table[(table["group"] == "") & (table["budget"] == 4)].set_index("test_set")["structures"].to_dict()
    assert sizes == {"all": CORE + CANDIDATES, "core": CORE, "candidates": CANDIDATES, "left_out": CANDIDATES - 4}
    assert np.isfinite(table["energy_rmse_mev"]).all()
    fit("RND")
    drawn = read_csv(here / "fits/RND.csv")[["budget", "draw"]].drop_duplicates()
    assert list(drawn.itertuples(index=False, name=None)) == [(2, 0), (4, 0), (2, 1), (4, 1)]
    assert len(read_array("fits/RND.npy")) == 4


def test_all_lies_between_no_candidate_and_every_one(here: Path) -> None:
    outputs = ["--output", "bounds.csv", "--output-coefficients", "bounds.npy"]
    run("replay-bounds", *everything(), *outputs)
    table = read_csv(here / "bounds.csv").query("test_set == 'all' and group == ''").set_index("method")
    assert table["budget"].to_dict() == {"none": 0, "all": CANDIDATES}
    assert table["force_rmse_mev"]["all"] < table["force_rmse_mev"]["none"]
    fitted = read_csv(here / "fits/FPS.csv").query(LONGEST)["force_rmse_mev"].item()
    assert table["force_rmse_mev"]["all"] < fitted < table["force_rmse_mev"]["none"]


def test_surface_energies_and_figures(here: Path) -> None:
    fits = ["--potential", "start.xml", "--errors", "fits/FPS.csv", "--coefficients", "fits/FPS.npy"]
    run("replay-surfaces", *fits, "--output", "surfaces/fits/FPS.csv")
    surfaces = read_csv(here / "surfaces/fits/FPS.csv")
    assert surfaces["plane"].tolist() == [100, 111] * 2
    assert (surfaces["energy"] - surfaces["reference"]).tolist() == pytest.approx(surfaces["error"].tolist())
    outputs = ["--output-errors", "errors.csv", "--output-surfaces", "surfaces.csv"]
    outputs += ["--output-equivalents", "equivalents.csv"]
    outputs += ["--output-figures", "errors.svg", "errors.pdf", "surface_energies.svg", "surface_energies.pdf"]
    run("replay", "--errors", "fits/FPS.csv", "--surfaces", "surfaces/fits/FPS.csv", *outputs)
    assert len(read_csv(here / "errors.csv")) == len(read_csv(here / "fits/FPS.csv"))
    assert (here / "errors.svg").read_text().startswith("<?xml")
    assert (here / "surface_energies.svg").read_text().startswith("<?xml")
    assert (here / "surface_energies.pdf").read_bytes().startswith(b"%PDF")


def test_a_potential_is_written_that_predicts_what_the_table_says(here: Path, capsys: pytest.CaptureFixture) -> None:
    from ase.io import read

    from gapdesign.models.gap.predict import energies

    given = ["--potential", "start.xml", "--coefficients", "fits/FPS.npy", "--errors", "fits/FPS.csv"]
    run("replay-potential", *given, "--budget", "4", "--output", "gp.xml")
    frames = [*read("core.extxyz", ":"), *read("rest.extxyz", ":")]
    sizes = np.array([len(atoms) for atoms in frames])
    known = np.array([atoms.info["REF_energy"] for atoms in frames])
    error = 1e3 * np.sqrt(np.mean(((energies("gp.xml", frames) - known) / sizes) ** 2))
    (told,) = read_csv(here / "fits/FPS.csv").query(LONGEST)["energy_rmse_mev"]
    assert error == pytest.approx(told, rel=1e-5)
    run("replay-potential", *given, "--budget", "3", "--output", "gp.xml", status=2)
    assert "--budget 3 --draw 0: fits/FPS.csv has no such potential" in capsys.readouterr().err


def test_budgets_of_core_hours_are_spent_by_each_design_and_told(here: Path) -> None:
    """With costs that grow from candidate to candidate, by the law of a file in which every frame was timed."""
    given = yaml.safe_load((here / "config.yaml").read_text())
    frames = read_frames(here / "rest.extxyz")
    for k, atoms in enumerate(frames):
        atoms.info["hours"] = 0.5 * (k % 3 + 1)
    write_frames(here / "timed.extxyz", frames)
    given["pools"]["overrides"]["rest"]["file"]["path"] = "timed.extxyz"
    given["costs"] = {"source": "column", "column": "hours"}
    given["designs"] = {name: design for name, design in given["designs"].items() if name != "MED"}
    given["replay"]["budgets"] = {"core_hours": [1.0, 3.5]}
    config.check(config.parse(given))
    (here / "priced.yaml").write_text(yaml.safe_dump(given))
    priced, costs = ["--config", "priced.yaml"], []
    for start, stop in SHARDS["rest"]:
        shard, output = f"priced/rest/{start}-{stop}.npz", f"costs/rest/{start}-{stop}.npy"
        place = ["--pool", "rest", "--start", str(start), "--stop", str(stop), "--output", shard]
        assert cli.main(["candidates", *priced, *place]) == 0
        assert cli.main(["costs", *priced, "--candidates", shard, "--output", output]) == 0
        costs.append(output)
    known = np.concatenate([read_array(path) for path in costs])
    assert known.tolist() == [0.5 * (k % 3 + 1) for k in range(CANDIDATES)]
    tables = []
    for design in ("FPS", "RND"):
        files = {flag: [f"{flag}/rest/{a}-{b}.{kind}" for a, b in SHARDS["rest"]] for flag, kind in
                 (("candidates", "npz"), ("features", "npy"), ("sums", "npy"))}  # fmt: skip
        words = [text for flag, paths in files.items() for text in (f"--{flag}", *paths)]
        choose = ["replay-choose", *priced, "--design", design, *words, "--output", f"priced/{design}.csv"]
        assert cli.main(choose) == 2  # no costs
        assert cli.main([*choose, "--costs", *costs]) == 0
        table = read_csv(here / f"priced/{design}.csv")
        assert table["core_hours"].tolist() == known[table["candidate"]].tolist()
        for (_, budget), mine in table.groupby(["draw", "budget"]):
            rest = np.setdiff1d(np.arange(CANDIDATES), mine["candidate"])
            assert mine["core_hours"].sum() <= budget < mine["core_hours"].sum() + known[rest].min()
        outputs = ["--output", f"priced/{design}-errors.csv", "--output-coefficients", f"priced/{design}.npy"]
        fit = ["replay-fit", *priced, "--design", design, "--choices", f"priced/{design}.csv"]
        assert cli.main([*fit, *everything(), *outputs]) == 0
        tables.append(f"priced/{design}-errors.csv")
    outputs = ["--output", "priced/bounds.csv", "--output-coefficients", "priced/bounds.npy"]
    assert cli.main(["replay-bounds", *priced, *everything(), "--costs", *costs, *outputs]) == 0
    collected = ["--output-errors", "priced/all.csv", "--output-equivalents", "priced/equivalents.csv"]
    figures = ["--output-figures", "priced/errors.svg"]
    assert cli.main(["replay", *priced, "--errors", *tables, "priced/bounds.csv", *collected, *figures]) == 0
    errors = read_csv(here / "priced/all.csv")
    assert errors.columns[-1] == "core_hours" and sorted(set(errors["budget"])) == [0.0, 1.0, 3.5, known.sum()]
    assert set(errors[errors["method"] == "all"]["core_hours"]) == {known.sum()}
    assert "random_core_hours" in read_csv(here / "priced/equivalents.csv")
    assert "core-hours of the labels trained on" in (here / "priced/errors.svg").read_text()
