"""Write the environments of envs/ from the one list of packages, which is pyproject.toml.

``python envs/generate.py`` writes the conda file of every tool family from the list and the lock;
``--lock`` resolves the list anew first (needs uv; ``--upgrade`` moves to newer versions); ``--check`` writes
nothing and fails if a file is not what it would write. Only the standard library is used.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
LOCK = "envs/requirements.lock"

# The conda file of each kind of job, and the families beside the core that such a job imports.
FAMILIES: dict[str, tuple[str, ...]] = {
    "core": (),
    "gap": ("gap", "phonons"),
    "eam": ("eam", "phonons"),
    "vasp": ("vasp", "phonons"),
    "gpaw": ("phonons",),
    "espresso": ("phonons",),
    "ase": ("phonons",),
    "nep": (),
    "nep-train": (),
    "ace": (),
    "mace": (),
    "sevennet": (),
    "workflow": ("workflow",),
}

# Programs that are no Python packages, or have no wheels: conda-forge's own.
PROGRAMS: dict[str, tuple[str, ...]] = {
    "gpaw": ("gpaw>=25.7",),
    "espresso": ("qe>=7.2",),
    "mace": ("pytorch-cpu>=2.6",),  # PyPI's torch for Linux brings CUDA
    "nep-train": ("pytorch-cpu>=2.6",),
    "sevennet": ("pytorch-cpu>=2.6",),
}

# Wheels of one environment alone, which the lock leaves out: large, or under another licence.
WHEELS: dict[str, tuple[str, ...]] = {
    "nep": ("nep-adapters==1.0.3",),
    "nep-train": ("nep-adapters==1.0.3", "torchnep==1.0.7"),  # apart, since features need no torch
    "ace": (
        *("ace-jax==0.4.1", "ace-jax-coupling==0.2.0", "jax==0.10.2", "jaxlib==0.10.2"),
        # what these need
        *("absl-py==2.5.1", "ase-extxyz==0.1.2", "equinox==0.13.8", "extxyz==0.4.6", "jaxtyping==0.3.11"),
        *("lineax==0.1.1", "ml-dtypes==0.6.0", "multipledispatch==1.0.0", "numpyro==0.22.0", "opt-einsum==3.4.0"),
        *("optax==0.2.8", "pyleri==1.5.1", "wadler-lindig==0.1.8"),
    ),
    "mace": (
        "mace-torch==0.3.16",
        # what it needs
        *("configargparse==1.9.0", "e3nn==0.4.4", "gitdb==4.0.12", "gitpython==3.2.1", "h5py==3.16.0"),
        *("lightning-utilities==0.15.3", "lmdb==3.0.0", "opt-einsum==3.4.0", "opt-einsum-fx==0.1.4"),
        *("prettytable==3.18.0", "python-hostlist==2.3.0", "smmap==5.0.3", "torch-ema==0.3"),
        *("torchmetrics==1.9.0", "wcwidth==0.9.4"),
    ),
    "sevennet": (
        "sevenn==0.13.0",
        # what it needs
        *("aiohappyeyeballs==2.7.1", "aiohttp==3.14.5", "aiosignal==1.4.0", "braceexpand==0.1.7", "e3nn==0.6.0"),
        *("frozenlist==1.8.0", "multidict==7.2.1", "ninja==1.13.2", "opt-einsum==3.4.0", "opt-einsum-fx==0.1.4"),
        *("propcache==0.5.4", "psutil==7.2.2", "torch-geometric==2.8.1", "xxhash==4.1.0", "yarl==1.25.1"),
    ),
}

# All that conda provides: the packages are the lock's wheels, so that what was tested is what runs.
INTERPRETER = ("python=3.12.8", "pip=24.3.1")

COMPILE = (
    *("uv", "pip", "compile", "pyproject.toml", "--all-extras"),
    *("--universal", "--python-version", "3.11", "--fork-strategy", "fewest"),
    *("--generate-hashes", "--no-header", "--no-emit-index-url", "--no-emit-find-links", "--quiet"),
)

HEADER = """\
# For jobs that import {beside}; the workflow puts gapdesign itself on the path.
# Written by envs/generate.py from pyproject.toml and requirements.lock: change the list there.
"""


class Pin(NamedTuple):
    """One entry of the lock."""

    version: str
    marker: str  # empty, or the environment marker after the semicolon
    hashes: tuple[str, ...]
    required_by: frozenset[str]  # names of packages; the project's own name for a direct dependency


def normalise(name: str) -> str:
    """Spell a package's name as indexes do (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def name_of(requirement: str) -> str:
    """Name of the package that a requirement such as ``numpy>=2`` asks for."""
    return normalise(re.match(r"[\w.-]+", requirement).group())


def read_list(root: Path = ROOT) -> dict[str, set[str]]:
    """Names of the packages of every family, with the dependencies under ``core``."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    families = {"core": project["dependencies"], **project["optional-dependencies"]}
    return {family: {name_of(line) for line in lines} for family, lines in families.items()}


def parse_lock(text: str) -> dict[str, Pin]:
    """Read the entries of a lock as uv writes it, by name.

    Raises
    ------
    ValueError
        If a name comes twice: a conda file has one version of a package.
    """
    pins: dict[str, Pin] = {}
    for entry in re.split(r"\n(?=[^\s#])", text.strip()):
        head, *rest = entry.splitlines()
        requirement, _, marker = head.removesuffix("\\").partition(";")
        name, _, version = requirement.strip().partition("==")
        if name in pins:
            raise ValueError(f"{LOCK}: {name} is pinned twice; one version must serve every Python")
        pins[name] = Pin(
            version=version,
            marker=marker.strip(),
            hashes=tuple(re.findall(r"--hash=(\S+)", entry)),
            required_by=frozenset(
                normalise(line.strip(" #").removeprefix("via ").split(" ")[0])
                for line in rest
                if line.strip().startswith("#") and line.strip(" #") != "via"
            ),
        )
    return pins


def closure(names: set[str], pins: dict[str, Pin]) -> set[str]:
    """Names of the packages and of everything that they need, directly or not."""
    needed, grown = set(), set(names)
    while grown != needed:
        needed = set(grown)
        grown |= {name for name, pin in pins.items() if pin.required_by & needed}
    return needed


def conda_file(family: str, packages: dict[str, set[str]], pins: dict[str, Pin]) -> str:
    """Text of the conda file of one family: its packages, then what these need."""
    direct = packages["core"].union(*(packages[other] for other in FAMILIES[family]))

    def lines(names: set[str]) -> str:
        chosen = [(name, pins[name]) for name in sorted(names)]
        pinned = [f"{name}=={pin.version}" + (f" ; {pin.marker}" if pin.marker else "") for name, pin in chosen]
        return "".join(f"      - {line}\n" for line in pinned)

    return (
        HEADER.format(beside=" and ".join(("core", *FAMILIES[family])))
        + "channels:\n  - conda-forge\n  - nodefaults\ndependencies:\n"
        + "".join(f"  - {package}\n" for package in (*INTERPRETER, *PROGRAMS.get(family, ())))
        + "  - pip:\n"
        + lines(direct)
        + "      # what these need\n"
        + lines(closure(direct, pins) - direct)
        + ("      # of this environment alone\n" if family in WHEELS else "")
        + "".join(f"      - {wheel}\n" for wheel in WHEELS.get(family, ()))
    )


def generated(root: Path = ROOT) -> dict[str, str]:
    """Text of every conda file, by its path from the root."""
    packages = read_list(root)
    pins = parse_lock((root / LOCK).read_text(encoding="utf-8"))
    missing = sorted(set().union(*packages.values()) - set(pins))
    if missing:
        raise ValueError(f"{LOCK} lacks {', '.join(missing)}: run `python envs/generate.py --lock`")
    return {f"envs/{family}.yaml": conda_file(family, packages, pins) for family in FAMILIES}


def outdated(root: Path = ROOT) -> list[str]:
    """Paths of the conda files that are not what the list and the lock say."""
    return [
        path
        for path, text in generated(root).items()
        if not (root / path).is_file() or (root / path).read_text(encoding="utf-8") != text
    ]


def write_lock(upgrade: bool) -> None:
    """Resolve the list; what is locked already stays as it is unless ``upgrade`` is set."""
    if shutil.which("uv") is None:
        raise ValueError("--lock needs uv on the path: `pip install uv` in an environment of its own")
    options = ["--upgrade"] if upgrade else []
    subprocess.run([*COMPILE, *options, "--output-file", LOCK], cwd=ROOT, check=True)


def main() -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lock", action="store_true", help="resolve the list into the lock first")
    parser.add_argument("--upgrade", action="store_true", help="with --lock: move to newer versions")
    parser.add_argument("--check", action="store_true", help="write nothing, fail if something would change")
    arguments = parser.parse_args()
    try:
        if arguments.check:
            paths = outdated()
            for path in paths:
                print(f"{path} is out of date: run `python envs/generate.py`", file=sys.stderr)
            return 1 if paths else 0
        if arguments.lock:
            write_lock(arguments.upgrade)
        for path, text in generated().items():
            (ROOT / path).write_text(text, encoding="utf-8")
    except (ValueError, subprocess.CalledProcessError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
