"""Make those pages of the site that come from the project itself; mkdocs.yml names this file.

README.md becomes the start page and config/README.md the page of the configuration. The command line's help gives the
page of commands, and docstrings give the pages of the library. Links to files without a page become the names of the
files.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "workflow" / "src"))

ROOMS = {
    "In a notebook": ("notebook",),
    "Sets of frames": ("sets",),
    "What a study is given": ("inputs", "contents"),
    "Candidates": ("prototypes", "structures", "cells", "samplers", "streams"),
    "Descriptors and pools": ("descriptors", "shards", "comparison"),
    "Designs, before any label": ("rows", "methods", "quality"),
    "Labels": ("engines", "labels", "formats"),
    "Potentials": ("models", "rounds", "crossval", "deviations", "properties", "replay"),
    "Pages and plans": ("report", "planning"),
    "What all stages share": (
        "config",
        "families",
        "compiling",
        "files",
        "voigt",
        "records",
        "stored",
        "bundles",
        "alive",
        "cluster",
        "progress",
        "errors",
        "installation",
    ),
}
"""Modules and packages of the library, each with a page, in the order of the stages."""

NO_ROOM = {
    "cli": "has a page of its own: the commands",
    "__main__": "is the command line",
}
"""Modules without a page, each with the reason."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    readme = re.sub(r":\n\n```mermaid\n.*?```\n", ".\n", readme, flags=re.DOTALL)  # it needs scripts from elsewhere
    made = {
        "index.md": readme.replace("](docs/", "]("),
        "configuration.md": (ROOT / "config" / "README.md").read_text(encoding="utf-8"),
        "commands.md": commands(),
        "library.md": library(),
        **{f"library/{room}.md": f"# `{room}`\n\n::: gapdesign.{room}\n" for rooms in ROOMS.values() for room in rooms},
    }
    for path, content in made.items():
        files.append(File.generated(config, path, content=content))
    return files


def on_page_markdown(markdown: str, **_) -> str:
    """Point links to the configuration at its page, and turn links to files without a page into their names."""
    markdown = re.sub(r"\]\((\.\./)?config/README\.md", "](configuration.md", markdown)
    return re.sub(r"\[([^\]]*)\]\((?:\.\./[^)]*|LICENSE|CITATION\.cff|config/[^)]*\.yaml)\)", r"`\1`", markdown)


def commands() -> str:
    """Return the help of every verb and of its sub-verbs."""
    from gapdesign.cli import parser

    return "\n".join(["# Commands\n\n`gapdesign VERB --help` prints the same.\n", *_verbs(parser(), level=2)])


def _verbs(parser: argparse.ArgumentParser, *, level: int) -> Iterator[str]:
    """Yield a section of the page for each verb of a parser."""
    families = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    for family in families:
        for _, verb in sorted(family.choices.items()):
            verb.prog = f"gapdesign {verb.prog.split(' ', 1)[1]}"
            title = verb.prog.removeprefix("gapdesign ")
            yield f"{'#' * level} {title}\n\n```text\n{verb.format_help().rstrip()}\n```\n"
            yield from _verbs(verb, level=level + 1)


def library() -> str:
    """Return the index of the library: its rooms, each with the first line of its docstring.

    Raises
    ------
    ValueError
        If a module is neither in `ROOMS` nor in `NO_ROOM`.
    """
    import pkgutil
    from importlib import import_module

    import gapdesign

    known = {*NO_ROOM, *(room for rooms in ROOMS.values() for room in rooms)}
    if known != (found := {module.name for module in pkgutil.iter_modules(gapdesign.__path__)}):
        raise ValueError(f"docs/site_pages.py: a page for each module of the library: {sorted(known ^ found)}")
    lines = ["# The library\n\nIt knows nothing of Snakemake: functions take arrays or structures and return values."]
    for heading, rooms in ROOMS.items():
        lines.append(f"\n## {heading}\n")
        for room in rooms:
            first = (import_module(f"gapdesign.{room}").__doc__ or "").strip().splitlines()[0]
            lines.append(f"- [`{room}`](library/{room}.md): {first}")
    return "\n".join(lines) + "\n"
