"""A study whose pools grow: one ends early, the other reaches its most; the same however cut, run and broken off."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from conftest import SMALL, Workflow, assert_same_files
from gapdesign import cli
from gapdesign.files import read_frames
from gapdesign.methods.growth import Growth
from gapdesign.structures import read_batch

ENDS, MOST = 40, 80
"""Where pool A ends, and the most that it was laid out for."""


def configured(**changes: Any) -> dict[str, Any]:
    """The small study, whose pool A ends early and whose pool B never does."""
    own = {"B": {"size": {"until": 0.01, "at_least": 20, "at_most": 60}}}
    pools = {"size": {"until": 0.25, "at_least": 20, "at_most": MOST}, "shard_size": 20, "overrides": own}
    return SMALL | {"pools": SMALL["pools"] | pools | changes}


@pytest.fixture(scope="module")
def grown(tmp_path_factory) -> Workflow:
    """A run of it to its designs; do not change it."""
    workflow = Workflow(tmp_path_factory.mktemp("grown"))
    workflow.configure(configured())
    workflow.run("design")
    return workflow


@pytest.fixture
def again(grown, tmp_path) -> Workflow:
    """A copy of it, to be changed."""
    subprocess.run(["cp", "-a", str(grown.folder), str(tmp_path / "copy")], check=True)
    return Workflow(tmp_path / "copy")


def break_off(workflow: Workflow, file: str, blow: signal.Signals) -> None:
    """Run the study until it has made a file, and stop it."""
    assert not of(workflow, file).exists()
    process = workflow.start("design")
    while not of(workflow, file).exists():
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.02)
    process.send_signal(blow)
    process.wait(timeout=120)
    process.stdout.close()


def of(workflow: Workflow, name: str) -> Path:
    return workflow.folder / "results/small" / name


def test_one_pool_ends_early_and_the_other_at_its_most(grown):
    table = pd.read_csv(of(grown, "quality/growth.csv"))
    assert table[table["pool"] == "A"]["candidates"].tolist() == [20, ENDS]
    assert table[table["pool"] == "B"]["candidates"].tolist() == [20, 40, 60]
    last = table[table["candidates"] == ENDS].set_index("pool")[["rise", "fall"]].max(axis=1)
    assert last["A"] <= 0.25
    assert last["B"] > 0.01
    assert Growth.read(of(grown, f"growth/A/{MOST}.json")) == Growth.read(of(grown, f"growth/A/{ENDS}.json"))
    sizes = {path.stem: len(read_batch(path)) for path in of(grown, "candidates/A").glob("*.npz")}
    assert sizes == {"0-20": 20, "20-40": 20} | {f"{start}-{start + 20}": 0 for start in range(40, MOST, 20)}
    pools = pd.read_csv(of(grown, "quality/pools.csv")).set_index("pool")["size"].to_dict()
    assert pools == {"A": ENDS, "B": 60}
    page = of(grown, "design.html").read_text()
    assert f"Pool A grew to {ENDS} of at most {MOST} candidates. The last doubling" in page
    assert "Pool B grew to 60 candidates. The last step" in page
    log = of(grown, f"logs/growth/A/{ENDS}.log").read_text()
    assert re.search(rf"{ENDS} candidates: the covering radius of a max-min design of 10 structures is 0\.\d+\n", log)
    assert f"pool A is wide enough and ends at {ENDS} candidates" in log


def test_designs_are_those_of_a_pool_of_that_number_and_are_proved_against_it(grown, tmp_path, monkeypatch, capsys):
    workflow = Workflow(tmp_path)
    workflow.configure(configured(size=ENDS, overrides={"B": {"size": 60}}))
    workflow.run("design")
    same = r"^small/(bundles|growth)/|/\d+-\d+\.np[yz]$|\.made|growth\.csv|\.html$|/compressed/"
    assert_same_files(grown, workflow, ignore=same)
    monkeypatch.chdir(grown.folder)
    assert cli.main(["verify", "--config", "config.yaml", "results/small/designs/OPT.extxyz"]) == 0
    assert f"exact; 10 ranks against all {ENDS} candidates of pool A" in capsys.readouterr().out
    assert max(atoms.info["candidate"] for atoms in read_frames(of(grown, "designs/RND.extxyz"))) < 60


def test_nothing_depends_on_how_pools_are_cut(grown, tmp_path):
    workflow = Workflow(tmp_path)
    workflow.configure(configured(shard_size=13))
    files = ["designs/OPT.extxyz", "designs/RND.extxyz", f"growth/A/{MOST}.json", "growth/B/60.json"]
    workflow.run(*(f"results/small/{file}" for file in files))
    for file in files:
        assert of(workflow, file).read_bytes() == of(grown, file).read_bytes(), file


@pytest.mark.whole
def test_a_run_that_is_killed_goes_on_to_the_same_files(grown, tmp_path):
    workflow = Workflow(tmp_path)
    workflow.configure(configured())
    break_off(workflow, "growth/A/20.json", signal.SIGKILL)
    break_off(workflow, f"descriptors/A/{ENDS}-60.npy", signal.SIGINT)
    workflow.run("design")
    assert_same_files(grown, workflow)


def test_a_verb_makes_the_same_of_its_part_as_of_the_whole_file(grown, again):
    (script,) = set(
        re.findall(r"gapdesign grow .*--output \S*growth/A/40\.json", grown.run("-n", "-p", "-F", "design"))
    )
    before = of(again, "growth/A/40.json").read_bytes()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(again.folder)
        words = subprocess.run(["bash", "-c", f"printf '%s\\0' {script}"], capture_output=True, check=True, text=True)
        words = words.stdout.split("\0")[1:-1]
        words[words.index("--config") + 1] = "config.yaml"
        of(again, "growth/A/40.json").unlink()
        assert cli.main(words) == 0
    assert of(again, "growth/A/40.json").read_bytes() == before


def test_a_dry_run_plans_the_most_and_says_where_the_pool_may_end(workflow):
    workflow.configure(configured())
    plan = workflow.plan("design")
    assert plan["candidates_shard"] == plan["design_compress"] == MOST // 20 + 3
    assert plan["growth"] == 3 + 3
    assert "Judging pool A at 80 candidates, where it may end" in workflow.run("-n", "design")


def test_a_change_makes_only_what_depends_on_it_again(again):
    assert again.plan("design") == {}
    again.configure(configured(size={"until": 0.25, "at_least": 20, "at_most": 2 * MOST}))
    wider = again.plan("design")
    assert wider["candidates_shard"] == MOST // 20
    assert wider["growth"] == 1
    again.configure(configured(size={"until": 0.2, "at_least": 20, "at_most": MOST}))
    stricter = again.plan("design")
    assert stricter["candidates_shard"] == (MOST - ENDS) // 20  # all but those that are there in any case
    assert stricter["growth"] == 3
    again.run("results/small/candidates/A/40-60.npz")
    assert not Growth.read(of(again, f"growth/A/{ENDS}.json")).is_wide
    assert len(read_batch(of(again, "candidates/A/40-60.npz"))) == 20


def test_shards_of_different_doublings_are_never_one_job_of_a_cluster(workflow):
    workflow.configure(configured())
    output = workflow.run("-n", "design", "--group-components", "shard=100", "compression=100")
    groups = re.split(r"Group job ", output)[1:]
    mine = [set(re.findall(r"Making candidates (\d+) to \d+ of pool A", group)) for group in groups]
    mine = [starts for starts in mine if starts]
    assert {"0", "20"} <= set.union(*mine)
    assert [starts for starts in mine if "40" in starts] == [{"40", "60"}]


def test_leftovers_are_what_no_size_has(again, monkeypatch, capsys):
    monkeypatch.chdir(again.folder)
    shutil.copy(of(again, "candidates/A/40-60.npz"), of(again, "candidates/A/40-50.npz"))
    assert cli.main(["leftovers", "--config", "config.yaml"]) == 0
    assert capsys.readouterr().out.splitlines() == ["results/small/candidates/A/40-50.npz"]
