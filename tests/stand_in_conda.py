"""A stand-in for conda, whose environments have programs that nobody else has."""

from __future__ import annotations

import os
import sys
from pathlib import Path

CONDA = """#!/usr/bin/env bash
# Answers as conda does; what it makes is a copy of an environment of the same kind.
case "$*" in
  --version) echo "conda 24.11.0" ;;
  "info --json") echo '{{"conda_prefix": "{base}", "platform": "linux-64"}}' ;;
  "config --get channel_priority --json") echo '{{"get": {{"channel_priority": "strict"}}}}' ;;
  "env create "*)
    file=$(sed 's/.*--file \\([^ ]*\\).*/\\1/' <<< "$*"); prefix=$(sed 's/.*--prefix \\([^ ]*\\).*/\\1/' <<< "$*")
    kind=core
    grep -q "  - gpaw" "$file" && kind=gpaw
    grep -q "  - qe" "$file" && kind=espresso
    cp -r "{base}/kinds/$kind" "$prefix" ;;
  "clean "*) ;;
  *) echo "the stand-in for conda does not know: $*" >&2; exit 1 ;;
esac
"""

PYTHON = """#!/usr/bin/env bash
export PYTHONPATH="{packages}${{PYTHONPATH:+:$PYTHONPATH}}"
exec {python} "$@"
"""


def script(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def install(folder: Path) -> Path:
    """Put the stand-in into a folder, and return the one that it keeps programs, packages and kinds in."""
    base = folder / "conda"
    script(base / "bin/conda", CONDA.format(base=base))
    script(base / "bin/activate", 'export PATH="$1/bin:$PATH"\n')
    for kind in ("core", "gpaw", "espresso"):
        packages = base / "packages" / kind
        packages.mkdir(parents=True)
        script(base / "kinds" / kind / "bin/python", PYTHON.format(packages=packages, python=sys.executable))
    return base


def path(base: Path) -> str:
    """Return the search path on which the stand-in is found first."""
    return os.pathsep.join([str(base / "bin"), os.environ["PATH"]])
