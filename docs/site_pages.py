"""Pages of the site that are made from the project itself: see mkdocs.yml.

The start page is README.md, the configuration config/README.md, commands come from the command line's own help, and the
library from its docstrings. Links to files that are no pages are shown as their names.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "workflow" / "src"))

ROOMS = (
    *("structures", "samplers", "descriptors", "methods", "quality", "curves", "engines", "labels", "store", "gate"),
    *("gap", "crossval", "replay", "files"),
)
"""Modules and packages of the library that have a page, along the way of a study."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    readme = re.sub(r":\n\n```mermaid\n.*?```\n", ".\n", readme, flags=re.DOTALL)  # drawn by scripts from elsewhere
    made = {
        "index.md": readme.replace("](docs/", "]("),
        "configuration.md": (ROOT / "config" / "README.md").read_text(encoding="utf-8"),
        "commands.md": commands(),
        "library.md": library(),
        **{f"library/{room}.md": f"# `{room}`\n\n::: gapdesign.{room}\n" for room in ROOMS},
    }
    for path, content in made.items():
        files.append(File.generated(config, path, content=content))
    return files


def on_page_markdown(markdown: str, **_) -> str:
    """Lead links to the configuration to its page; other files of the project have none."""
    markdown = re.sub(r"\]\((\.\./)?config/README\.md", "](configuration.md", markdown)
    return re.sub(r"\[([^\]]*)\]\((?:\.\./[^)]*|LICENSE|CITATION\.cff|config/[^)]*\.yaml)\)", r"`\1`", markdown)


def commands() -> str:
    """Help on every verb."""
    from gapdesign.cli import parser

    top = parser()
    top.prog = "gapdesign"
    verbs = next(action for action in top._actions if isinstance(action, argparse._SubParsersAction))
    parts = ["# Commands\n\n`gapdesign VERB --help` prints the same.\n"]
    for name, verb in sorted(verbs.choices.items()):
        parts.append(f"## {name}\n\n```text\n{verb.format_help().rstrip()}\n```\n")
    return "\n".join(parts)


def library() -> str:
    """The rooms of the library, each with the first line of its docstring."""
    from importlib import import_module

    lines = ["# The library\n\nIt knows nothing of Snakemake: functions take arrays or structures and return values.\n"]
    for room in ROOMS:
        first = (import_module(f"gapdesign.{room}").__doc__ or "").strip().splitlines()[0]
        lines.append(f"- [`{room}`](library/{room}.md): {first}")
    return "\n".join(lines) + "\n"
