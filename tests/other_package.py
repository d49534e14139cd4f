"""The package that docs/write-your-own.md shows, installed as a user would."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from conftest import ROOT

PAGE = (ROOT / "docs/write-your-own.md").read_text(encoding="utf-8")

FILES = dict(re.findall(r'```\w+ title="([^"]+)"\n(.*?)```', PAGE, re.DOTALL))
"""Examples on the page, by the names of their files."""


def install(folder: Path, **changes: str) -> Path:
    """Install the package by pip into a folder, which is then to be on the path of Python.

    Parameters
    ----------
    folder
        An empty folder.
    **changes
        Texts of the page's files and what takes their places.
    """
    source = folder / "source"
    for name, text in FILES.items():
        name = name.removeprefix("example/")
        for old, new in changes.items():
            text = text.replace(old, new)
        path = source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    site = folder / "site"
    words = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index", "--no-deps"]
    subprocess.run(
        [sys.executable, *words, "--no-build-isolation", "--target", str(site), str(source)],
        check=True,
        capture_output=True,
    )
    return site
