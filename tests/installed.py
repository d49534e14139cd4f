"""Packages of others, as pip would leave them in a folder: a module, and what it offers to the families."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import yaml


def install(folder: Path, module: str, code: str, **offers: str) -> None:
    """Leave a package ``module`` in a folder; ``offers`` are lines of an entry point by the name of the family."""
    (folder / f"{module}.py").write_text(code, encoding="utf-8")
    about = folder / f"{module}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n", encoding="utf-8")
    groups = [f"[gapdesign.{family}]\n{line}\n" for family, line in offers.items()]
    (about / "entry_points.txt").write_text("\n".join(groups), encoding="utf-8")


def gapdesign(folder: Path, study: dict, *arguments: str, status: int = 0) -> str:
    """Run a verb where the packages of a folder are installed; what it prints."""
    (folder / "config.yaml").write_text(yaml.safe_dump(study), encoding="utf-8")
    path = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    verb, *rest = arguments
    done = subprocess.run(
        [sys.executable, "-m", "gapdesign", verb, "--config", "config.yaml", *rest],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": path},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert done.returncode == status, done.stdout
    return done.stdout
