"""What reaches a shell: any character in any path, commands of any length, and few inputs however many designs."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import ROOT, Workflow

STRANGE = """q'; touch x; '{x} "$(touch x)` b"""

CALL = re.search(r'^CALL = """(.*?)"""', (ROOT / "workflow/rules/common.smk").read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture
def strange(tmp_path: Path, configuration) -> Workflow:
    """A checkout in a folder with a strange name, whose study is cut into ten shards."""
    checkout = tmp_path / STRANGE
    checkout.mkdir()
    shutil.copy(ROOT / "Snakefile", checkout)
    for folder in ("workflow", "profiles", "envs"):
        shutil.copytree(ROOT / folder, checkout / folder, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    workflow = Workflow(checkout, snakefile=checkout / "Snakefile")
    configuration["pools"] |= {"size": 10, "shard_size": 1}
    configuration["budget"] = 2
    configuration["labels"] |= {"store": f"store of {STRANGE}", "scratch": f"scratch of {STRANGE}"}
    workflow.configure(configuration)
    return workflow


def test_a_checkout_may_lie_in_a_folder_of_any_name(strange, tmp_path):
    temporary = strange.folder / f"temporary {STRANGE}"
    temporary.mkdir()
    environment = {"TMPDIR": str(temporary), "PYTHONPATH": ""}
    jobs = strange.run("-n", "-p", **environment)
    assert re.search("candidates_shard +20", jobs)
    commands = re.findall("^ *(?:Shell command: )?(gapdesign .*)$", jobs, flags=re.MULTILINE)
    assert all(subprocess.run(["bash", "-n", "-c", command]).returncode == 0 for command in commands)
    strange.run("results/small/candidates/A/0-1.npz", **environment)
    assert (strange.folder / "results/small/candidates/A/0-1.npz").is_file()
    assert [path for path in tmp_path.rglob("x")] == []


WORDS = {"runs", "frames", "structures", "converted", "others", "surfaces", "properties", "replay", "raised", "costs"}
WORDS |= {"judged"}
"""Params that are words of a command already, each quoted."""

NUMBERS = {"threads", "resources.allowance", "resources.mem_mb", "params.max_failed", "params.jobs", "params.of"}

KINDS = {"params.kind"}
"""Names of kinds of models, which are identifiers."""


@pytest.mark.parametrize("rules", sorted((ROOT / "workflow/rules").glob("*.smk")), ids=lambda path: path.name)
def test_every_field_of_a_command_is_quoted(rules):
    commands = re.findall(r"^ +shell:\n((?: +\".*\n)+)", rules.read_text(), flags=re.MULTILINE)
    fields = {field for command in commands for field in re.findall(r"\{([^{}]+)\}", command)}
    plain = {field for field in fields if not field.endswith(":q")}
    assert plain <= {*NUMBERS, *KINDS, *(f"params.{name}" for name in WORDS)}


def prefix() -> str:
    library = ROOT / "workflow" / "src"
    return "set -euo pipefail; " + CALL[1].encode().decode("unicode_escape").format(
        library=shlex.quote(str(library)), python=shlex.quote(sys.executable)
    )


@pytest.mark.parametrize("argument", ["x" * 1000, "x" * 200_000])
def test_arguments_may_be_longer_than_a_system_allows(argument, tmp_path):
    """The limit for one argument is 128 kB; what is said is about the argument, and the status is the verb's."""
    script = tmp_path / "script.sh"
    script.write_text(f"{prefix()} gapdesign concatenate --tables ' a' 'b\nc' {argument} --output o.csv\n")
    done = subprocess.run(["bash", script], capture_output=True, text=True, env=os.environ | {"PYTHONPATH": ""})
    assert done.returncode == 2
    assert "concatenate:  a: no such file" in done.stderr


def test_inputs_of_jobs_do_not_grow_with_the_designs_before_them(workflow, configuration):
    designs = {f"D{number}": {"pool": "A", "method": "random"} for number in range(23)}
    workflow.configure(configuration | {"designs": designs})
    output = workflow.run("-n", "-p", "labels")
    (command,) = re.findall("gapdesign labels .*--output results/small/labels/D22.extxyz .*", output)
    words = shlex.split(command)
    mine = words[words.index("--designs") + 1 : words.index("--reserves")]
    bundles = [f"results/small/bundles/designs/designs/{first}-{first + 10}.bundle" for first in (0, 10)]
    assert mine == [*bundles, *(f"results/small/designs/D{number}.extxyz" for number in (20, 21, 22))]
    assert max(len(shlex.split(line)) for line in re.findall("gapdesign labels .*", output)) < 120
