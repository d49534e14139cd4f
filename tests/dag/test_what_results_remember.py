"""Origin of results: known without Snakemake's memory, and by the contents of files, not by dates."""

from __future__ import annotations

import json
import os
import re
import shutil

from conftest import Workflow

XYZ = """\
2
Lattice="3.2 0 0 0 3.2 0 0 0 5.1" pbc="T T T" Properties=species:S:1:pos:R:3 REF_energy={energy}
Zr 0 0 0
Zr 1.6 1.6 2.5
"""


def made_from(workflow: Workflow) -> dict[str, set[str]]:
    """Return what jobs are made from, by verb, as a dry run shows it."""
    shown = workflow.run("-n", "-p").replace("'\\''", "'")
    found: dict[str, set[str]] = {}
    for verb, part in re.findall(r"gapdesign ([\w-]+) (?:.*? )?--(?:config|made-from) '(\{.*?\})' ", shown):
        found.setdefault(verb, set()).add(part)
    return found


def test_without_snakemakes_memory_results_still_know_what_they_were_made_from(rerun, configuration):
    def plan(*arguments: str) -> dict[str, int]:
        shutil.rmtree(rerun.folder / ".snakemake")
        return rerun.plan(*arguments)

    before = {path: path.stat().st_mtime_ns for path in (rerun.folder / "results").rglob("*")}
    assert plan() == {}
    configuration["pools"]["overrides"] = {"B": {"strain": {"max": 0.05}}}
    rerun.configure(configuration)
    changed = plan()
    assert (changed["candidates_shard"], changed["descriptors_shard"], changed["design_select"]) == (2, 2, 1)
    assert plan("--rerun-triggers", "mtime") == {}
    configuration["seed"] = 8
    rerun.configure(configuration)
    assert plan()["candidates_shard"] == 4
    assert {path: path.stat().st_mtime_ns for path in (rerun.folder / "results").rglob("*")} == before


def test_every_result_has_a_record(finished):
    top = finished.folder / "results/small"
    results = [path for path in top.rglob("*") if path.is_file() and ".made" not in path.parts]
    made = [path for path in results if path.relative_to(top).parts[0] not in ("logs", "benchmarks")]
    assert {
        path.relative_to(top).as_posix() for path in made if not (path.parent / f".made/{path.name}.json").is_file()
    } == {"designs/state/OPT.npz", "designs/state/RND.npz"}


def test_an_older_file_in_the_place_of_an_input_is_another_input(workflow, configuration):
    inputs = {
        name: workflow.folder / name for name in ("pool.xyz", "existing.xyz", "hcp.xyz", "labels.xyz", "md.alloy")
    }

    def write(energy: float) -> None:
        for name, path in inputs.items():
            path.unlink(missing_ok=True)
            path.write_text(XYZ.format(energy=energy) * (60 if name == "pool.xyz" else 1))
            os.utime(path, (1e9, 1e9))

    write(1.0)
    configuration["prototypes"]["hcp"] = {"file": "hcp.xyz"}
    calculator = {"calculator": "ase.calculators.eam.EAM", "arguments": {"potential": "md.alloy"}}
    configuration["pools"]["overrides"] = {
        "A": {"sampler": "md", "md": calculator},
        "B": {"sampler": "file", "file": {"path": "pool.xyz"}},
    }
    configuration["designs"]["OPT"]["existing"] = "existing.xyz"
    configuration["labels"] = {"engine": "file", "file": {"paths": ["labels.xyz"], "isolated": {"Zr": 0.0}}}
    workflow.configure(configuration)
    before = made_from(workflow)
    assert made_from(workflow) == before
    write(2.0)
    after = made_from(workflow)
    changed = {verb: before[verb] - after[verb] for verb in before if before[verb] != after[verb]}
    assert set(changed) == {
        "frames",
        "candidates",
        "select",
        "regrow",
        "curves",
        "engine",
        "isolated",
        "label",
        "labels",
        "measure",
    }
    assert len(changed["candidates"]) == 2
    assert all("contents" in json.loads(part) for parts in changed.values() for part in parts)


def test_another_model_of_the_descriptor_describes_again(workflow, configuration):
    """Only its content counts, and only jobs that describe structures depend on it."""
    path = workflow.folder / "nep.txt"
    head = "nep4 1 Zr\ncutoff 6 5 99 99\nn_max 4 4\nbasis_size 8 8\nl_max 4 2 1\nANN 2 0\n"

    def write(number: float) -> None:
        path.write_text(head + f"{number}\n" * (2 * (35 + 2) + 1 + 90 + 35))
        os.utime(path, (1e9, 1e9))

    write(0.1)
    configuration["descriptor"] = {"backend": "nep", "nep": {"path": "nep.txt"}}
    workflow.configure(configuration)
    before = made_from(workflow)
    path.touch()
    assert made_from(workflow) == before
    write(0.2)
    after = made_from(workflow)
    assert {verb for verb in before if before[verb] != after[verb]} == {"descriptors", "select", "regrow"}
    path.unlink()
    sentence = workflow.run("-n", status=1).strip().splitlines()[-1]
    assert sentence.startswith("gapdesign: descriptor.nep.path: no file 'nep.txt'; ")
