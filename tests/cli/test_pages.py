"""Every command of every page is planned, parsed or run: see `pages`."""

from __future__ import annotations

import argparse
import re
import shlex
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

import pages
from gapdesign import cli
from gapdesign.config import study as config

SNIPPETS = pages.snippets()
WORLDS: dict[str, pages.World] = {}


@pytest.mark.parametrize("snippet", SNIPPETS, ids=[snippet.name for snippet in SNIPPETS])
def test_a_command_does_what_its_page_says(snippet: pages.Snippet, tmp_path_factory: pytest.TempPathFactory) -> None:
    if "--profile htcondor" in snippet.text and find_spec("snakemake_executor_plugin_htcondor") is None:
        pytest.skip("snakemake-executor-plugin-htcondor is not installed")
    if snippet.page not in WORLDS:
        WORLDS[snippet.page] = pages.World(tmp_path_factory.mktemp("page"), snippet.page)
    WORLDS[snippet.page].go_through(snippet)


@pytest.mark.parametrize("page", sorted(pages.pages()), ids=lambda page: page.name)
def test_no_command_of_a_page_escapes(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    languages = {block.language for block in pages.blocks(text) if not block.title}
    assert languages <= {*pages.FOLLOWED, *pages.COMMANDS, *pages.OTHER_LANGUAGES}
    for block in pages.blocks(text):
        if block.language == "text":
            assert block.content.split()[0] not in pages.OURS
    rest = pages.FENCE.sub("", text)
    assert "```" not in rest and "~~~" not in rest and "<pre" not in rest
    programs = "|".join((*pages.OURS, *pages.OTHERS))
    assert re.findall(rf"^(?: {{4,}}|\t|\$ )(?:\$ )?(?:{programs}) .*$", rest, re.MULTILINE) == []


def test_examples_of_the_help_are_understood() -> None:
    parser = cli.parser()
    verbs = next(action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    texts = [parser.epilog, *(verb.description for verb in verbs.choices.values())]
    examples = [
        example for text in texts for example in re.findall(r": +(gapdesign [a-z].*(?:\n {4,}.*)*)", text) if text
    ]
    assert len(examples) > 15
    for example in examples:
        parser.parse_args(shlex.split(example.split(" > ")[0])[1:])


PIECES = [
    (page.name, block)
    for page in sorted(pages.pages())
    for block in pages.blocks(page.read_text(encoding="utf-8"))
    if block.language == "yaml" and not block.title
]


@pytest.mark.parametrize(("page", "block"), PIECES, ids=[f"{page}:{block.line}" for page, block in PIECES])
def test_a_piece_of_configuration_is_understood(page: str, block: Any, tmp_path: Path) -> None:
    # A line that begins another `pools:` is an alternative to those before it.
    first = block.content.split(":", 1)[0]
    for piece in re.split(rf"^(?={first}:)", block.content, flags=re.MULTILINE)[1:]:
        given = yaml.safe_load(piece)
        if first in ("default-resources", "set-resources"):  # a profile
            world = pages.World(tmp_path, f"docs/{page}")
            (world.folder / "site").mkdir()
            (world.folder / "site" / "config.yaml").write_text(piece)
            world.go_through(pages.Snippet(f"docs/{page}", 0, "snakemake --profile ./site"))
            continue
        study = yaml.safe_load((pages.ROOT / "config" / "config.yaml").read_text())
        for key, value in given.items():
            before = study.get(key, {})
            merged = isinstance(value, dict) and isinstance(before, dict) and key != "designs"
            study[key] = before | value if merged else value
        study["designs"] = given.get("designs", {"ONE": {"pool": study["pools"]["names"][0], "method": "maxmin"}})
        config.parse(study)


@pytest.mark.parametrize(
    ("commands", "said"),
    [
        ("snakemake --configfile config/none.yaml", "config/none.yaml"),
        ("snakemake desing", "desing"),
        ("snakemake --no-such-option", "unrecognized arguments: --no-such-option"),
        ("gapdesign check --confg config/config.yaml", "--confg"),
        ("gapdesign checks", "no verb checks"),
        ("gapdesign verify results/zr-demo/designs/OPT9.extxyz", "no study makes results/zr-demo/designs/OPT9.extxyz"),
        ("python benchmarks/scaling.py --size 3", "--size"),
        ("python benchmarks/none.py", "none.py"),
        ("make demos", "demos"),
        ("pytest tests/unit/test_none.py", "test_none.py"),
        ("cp config/none.yaml config/mine.yaml", "config/none.yaml"),
        ("vasp_std", "no table of tests/pages.py names the program 'vasp_std'"),
    ],
)
def test_a_command_that_is_wrong_is_refused(commands: str, said: str, tmp_path: Path) -> None:
    world = pages.World(tmp_path, "docs/theory.md")
    with pytest.raises(AssertionError, match=re.escape(said)):
        world.go_through(pages.Snippet("docs/theory.md", 0, commands))
