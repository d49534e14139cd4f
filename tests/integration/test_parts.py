"""Every verb makes the same bytes of the part of the configuration that the workflow gives it as of the whole file."""

from __future__ import annotations

import filecmp
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from ase import Atoms
from ase.calculators.lj import LennardJones

from conftest import Workflow
from gapdesign import cli
from gapdesign.files import write_frames
from gapdesign.structures import read_structures
from other_configuration import other_configuration


@pytest.fixture(scope="module")
def ran(tmp_path_factory) -> Workflow:
    """A study that differs from the default in every key, run to its report, with its pools compared."""
    workflow = Workflow(tmp_path_factory.mktemp("other"))
    configuration = other_configuration()
    configuration["kernel"]["structure"] = "average"  # else no design is chosen from smaller pools
    del configuration["designs"]["F"]  # its verbs are those of M
    configuration["designs"]["L"] = {"pool": "P", "method": "maxmin", "polish": {"sweeps": 1, "refinements": 0}}
    configuration["replay"]["report"] = False  # its labels are in files, which this study does not have
    workflow.configure(configuration)
    workflow.run("report", "pools", "environments")
    return workflow


def commands(workflow: Workflow, *targets: str) -> list[list[str]]:
    """The words of every command of the workflow, without redirections."""
    process = subprocess.run(
        workflow.command(*targets, "--detailed-summary"),
        cwd=workflow.folder,
        capture_output=True,
        text=True,
        check=True,
    )
    head, *rows = [line.split("\t") for line in process.stdout.splitlines() if "\t" in line]
    lines = dict.fromkeys(row[head.index("shellcmd")] for row in rows)
    return [shlex.split(line.partition(" > ")[0])[1:] for line in lines if line.startswith("gapdesign ")]


def redo(ran: Workflow, folder: Path, *targets: str) -> set[str]:
    """Redo a run in a copy of its folder, with the whole file instead of parts, and return the verbs."""
    shutil.copytree(ran.folder, folder)
    shutil.rmtree(folder / "results/other/designs/state", ignore_errors=True)  # a replay has none
    verbs = set()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for words in commands(ran, *targets):
            if "--config" in words:
                words[words.index("--config") + 1] = "config.yaml"
            assert cli.main(words) == 0, words
            verbs.add(words[0])
        for path in sorted(Path("results").rglob("*")):
            if path.is_file() and not {"logs", "benchmarks", "state", ".made"} & set(path.parts):
                assert filecmp.cmp(path, ran.folder / path, shallow=False), path
    return verbs


def reading(*, replay: bool) -> set[str]:
    """The verbs that read a configuration."""
    jobs = cli.jobs().items()
    return {verb for verb, job in jobs if job.reads is not None and verb.startswith("replay") == replay}


def test_a_verb_makes_the_same_of_its_part_as_of_the_whole_file(ran, tmp_path):
    verbs = redo(ran, tmp_path / "whole", "report", "pools", "environments")
    # One makes no file, no pool here has files to convert or grows, and no design weighs labels by rows or continues
    # another.
    others = {"row-functions", "rows", "round-learn", "round-choose", "grow"}
    assert reading(replay=False) - verbs == {"plan", "frames", *others}


def test_so_does_a_verb_of_the_replay(ran, tmp_path):
    """The candidates of the study, with the labels of another potential in a file."""
    replayed = Workflow(tmp_path / "parts")
    replayed.folder.mkdir()
    configuration = other_configuration()
    configuration["kernel"]["structure"] = "average"
    configuration["labels"]["engine"] = "file"
    configuration["replay"]["kind"] = "gap"  # which is installed
    configuration["properties"]["reference"] = None  # which needs an engine that computes
    configuration["designs"]["M"].update(pool="P", start=None)  # since Q is the core
    costs = {"source": "measured", "column": "hours", "against": "electrons"}
    configuration["costs"] = costs | {"path": "labelled.extxyz"}
    names = configuration["labels"]["file"]
    names["paths"], names["isolated"] = ["labelled.extxyz"], {"Cu": -0.1}
    shards = sorted((ran.folder / "results/other/candidates").glob("*/*.npz"))
    write_frames(replayed.folder / "labelled.extxyz", [labelled(atoms, names) for atoms in read_structures(shards)])
    replayed.configure(configuration)
    replayed.run("replay")
    verbs = redo(replayed, tmp_path / "whole", "replay")
    assert reading(replay=True) - verbs == set()


def labelled(atoms: Atoms, names: dict[str, str]) -> Atoms:
    """A structure with the labels of a Lennard-Jones potential under keys of a file of the user's."""
    atoms.calc = LennardJones(sigma=2.27, epsilon=0.4, rc=5.0)
    frame = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=True)
    frame.info["hours"] = 1e-3 * len(frame)
    frame.info[names["energy_key"]] = atoms.get_potential_energy()
    frame.info[names["stress_key"]] = atoms.get_stress(voigt=False).ravel()
    frame.info[names["virial_key"]] = -atoms.get_volume() * frame.info[names["stress_key"]]
    frame.arrays[names["forces_key"]] = atoms.get_forces()
    return frame
