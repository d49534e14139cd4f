"""Every command of every page of the documentation, and a folder in which it can be tried.

Blocks of ``bash`` and ``python`` are followed from the top of their page to its end, for real
(`tests/integration/test_pages_followed.py`). All other commands, those of blocks of ``sh`` or of no language and those
within the text, are run by bash with stand-ins for the programs that they name: the project's own are planned or parsed
(`tests/stand_ins.py`), small ones such as ``cp`` are themselves, and those in `OTHERS` do nothing. A program that no
table names fails.
"""

from __future__ import annotations

import os
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from conftest import ROOT

_PAGE = runpy.run_path(str(ROOT / "docs" / "run_page.py"))
blocks, run, FENCE = _PAGE["blocks"], _PAGE["run"], _PAGE["FENCE"]

FOLLOWED = ("bash", "python")
COMMANDS = ("", "sh")
OTHER_LANGUAGES = ("text", "yaml", "toml", "lammps", "mermaid")
"""Languages whose blocks hold no commands."""

OURS = ("snakemake", "gapdesign", "make", "python", "pytest")
SMALL = ("cp", "cat", "mkdir", "sed")
"""Programs that run as they are."""

OTHERS = {
    "git": "what it would fetch is on the network; tests/stand_ins.py leaves something of the same form",
    "sha256sum": "the files that it checks are on the network",
    "tar": "unpacks what another command fetched",
    "pip": "installs from the network",
    "conda": "installs from the network",
    "apt-get": "installs from the network, as root",
    "pre-commit": "changes the hooks of the user's clone",
    "apptainer": "builds an image as large as a system (tests/dag/test_container.py reads its definition)",
    "module": "the site's own",
    "sacctmgr": "asks the site's Slurm",
    "tmux": "waits for a person at a terminal",
    "chromium": "takes a picture for a page; the page itself is tested in it (tests/unit/test_report.py)",
    "srun": "the beginning of an engine's command",
    "mpirun": "the beginning of an engine's command",
}
"""Programs that are not run, each with the reason."""

PROJECT = ("Snakefile", "Makefile", "pyproject.toml", "workflow", "profiles", "benchmarks", "envs", "docs", "tests")
"""Files of the project that a page's commands may read, beside the configurations, which they may change."""

PLACEHOLDERS = {
    "config/studies/<study>.yaml": "config/studies/zr-elastic.yaml",
    "<address of this repository>": "https://example.org/gapdesign.git",
    "<study>": "zr-demo",
    "<design>": "OPT1",
    "<verb>": "check",
}
"""Values that a reader puts in the place of these."""

LEFT = {"docs/w-entropy.md": ("w14.xyz",)}
"""Files that the blocks which are followed leave on a page, as far as its other commands read them."""

FETCHED = {"docs/w-entropy.md": ("db_W.xyz",)}
"""Files that a page says to download, as far as its commands read them."""


class Snippet(NamedTuple):
    """Commands of a page: a block, or what stands between two backticks."""

    page: str
    line: int
    text: str

    @property
    def name(self) -> str:
        """The place and the beginning of the command."""
        return f"{self.page}:{self.line} {self.text.splitlines()[0][:60]}"


def pages() -> list[Path]:
    """All pages that people write or read as text."""
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "config" / "README.md", *(ROOT / "docs").glob("*.md")]


def snippets() -> list[Snippet]:
    """All commands that are not followed, page by page, in order; what stands within the text of several pages once."""
    found: dict[str, Snippet] = {}
    for page in sorted(pages()):
        for snippet in _of_page(page):
            is_of_page = "\n" in snippet.text or "mine.yaml" in snippet.text
            found.setdefault(f"{page} {snippet.text}" if is_of_page else snippet.text, snippet)
    return list(found.values())


def _of_page(page: Path) -> Iterator[Snippet]:
    text = page.read_text(encoding="utf-8")
    name = str(page.relative_to(ROOT))
    inline = FENCE.sub(lambda block: "\n" * block[0].count("\n"), text)
    found = [(block.line, block.content) for block in blocks(text) if block.language in COMMANDS]
    for span in re.finditer(r"`([^`]+)`", inline):
        words = " ".join(span[1].replace("\\|", "|").split()).removeprefix("time ")
        if words.split()[0] in (*OURS, *SMALL, *OTHERS) and " " in words:
            found += [(inline.count("\n", 0, span.start()) + 1, command) for command in _alternatives(words)]
    for line, commands in sorted(found):
        for placeholder, instead in PLACEHOLDERS.items():
            commands = commands.replace(placeholder, instead)
        yield Snippet(name, line, commands.strip())


def _alternatives(words: str) -> list[str]:
    """`snakemake design | labels` within the text is two commands."""
    first, *others = words.split(" | ")
    return [first, *(f"{first.split()[0]} {other}" for other in others)]


def copy_project(folder: Path) -> None:
    """The state after `make demo`: the project, an environment, and a study of their own, config/mine.yaml."""
    folder.mkdir(parents=True)
    for name in PROJECT:
        (folder / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "config", folder / "config")
    mine = (ROOT / "config" / "config.yaml").read_text(encoding="utf-8").replace("study: zr-demo", "study: mine")
    (folder / "config" / "mine.yaml").write_text(mine, encoding="utf-8")
    (folder / ".venv" / "bin").mkdir(parents=True)
    (folder / ".venv" / "bin" / "activate").touch()


class World:
    """The folder in which somebody goes through a page, with the files that the page shows."""

    def __init__(self, folder: Path, page: str) -> None:
        self.folder, self._page, self._gone_through = folder / "project", ROOT / page, 0
        copy_project(self.folder)
        for path in (*LEFT.get(page, ()), *FETCHED.get(page, ())):
            (self.folder / path).touch()
        for block in blocks(self._page.read_text(encoding="utf-8")):
            if block.title:
                (self.folder / block.title).parent.mkdir(exist_ok=True)
                (self.folder / block.title).write_text(block.content, encoding="utf-8")
        self._programs, home = folder / "programs", folder / "home" / "snakemake"
        plans = folder.parent / "plans"
        for path in (self._programs, home, plans):
            path.mkdir(parents=True, exist_ok=True)
        for profile in ("slurm", "lsf", "htcondor", "generic"):  # as `gapdesign profiles install` links them
            (home / profile).symlink_to(ROOT / "profiles" / profile)
        for program in (*OURS, *OTHERS):
            path = self._programs / program
            stand_in = f"'{sys.executable}' '{ROOT}/tests/stand_ins.py' {program}"
            path.write_text(f"#!/bin/sh\nPATH='{os.environ['PATH']}' exec {stand_in} \"$@\"\n")
            path.chmod(0o755)
        for program in SMALL:
            (self._programs / program).symlink_to(str(shutil.which(program)))
        self._environment = os.environ | {
            "PATH": str(self._programs),
            "XDG_CONFIG_HOME": str(home.parent),
            "PYTHONPATH": os.pathsep.join([str(ROOT / "workflow" / "src"), str(ROOT / "tests"), *sys.path[1:]]),
            "USER": "me",
            "PLANS": str(plans),
        }

    def go_through(self, snippet: Snippet) -> str:
        """Try a page's commands, after what those before them on the page leave; what they say."""
        before = [other for other in _of_page(self._page) if other < snippet]
        for other in before[self._gone_through :]:
            self._bash(other.text, ONLY_LEAVE="1")
        self._gone_through = max(self._gone_through, len(before) + 1)
        return self._bash(snippet.text)

    def _bash(self, commands: str, **environment: str) -> str:
        unknown = "command_not_found_handle() { echo \"no table of tests/pages.py names the program '$1'\"; exit 127; }"
        done = subprocess.run(
            [str(shutil.which("bash")), "-euo", "pipefail", "-c", f"{unknown}\n{commands}"],
            cwd=self.folder,
            env=self._environment | environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert done.returncode == 0, f"{commands}\n{done.stdout}"
        return done.stdout
