"""Stand-ins for the programs that pages name: ``python stand_ins.py PROGRAM WORD ...`` in the folder of a page.

They end with status 0 only if the program itself would understand its words and find what it reads:

- ``snakemake`` makes a dry run of exactly that command;
- ``gapdesign`` parses its words with its own parser, reads the configuration, and sees that its input is there or is
  made by the workflow; cheap verbs run;
- ``make`` says what it would run, and ``pytest`` which tests;
- ``python PROGRAM`` stops where the program has parsed its words.

With ``ONLY_LEAVE`` in the environment they do nothing but leave what later commands of a page read.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import runpy
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
RUN = ("check", "candidate", "profiles")
"""Verbs of gapdesign that cost a second at most; `store import` is run too."""

NOT_PLANNED = {
    "--report": "reads a finished study: tests/dag/test_tools.py runs it",
    "--help": "plans nothing",
}
"""Options of snakemake with which there is nothing to plan: only its own parser sees the command."""

ENVIRONMENTS = ("conda", "apptainer")
"""Environments of jobs that this machine need not have: tests/dag/test_container.py has one of them."""

SUBJECTS = {"replay": "config/studies/zr-learning.yaml"}
"""Targets that the default study has not, and one that has."""

AFTER = {
    "config/studies/zr-learning.yaml": ["--configfile", "config/studies/zr-elastic.yaml"],
    "config/studies/zr-gpaw/designs.yaml": ["--configfile", "config/studies/zr-gpaw.yaml"],
}
"""Studies that read what another command leaves: that is planned first, and its files are put there, empty."""


def snakemake(*words: str) -> None:
    """Plan."""
    given = list(words)
    if NOT_PLANNED.keys() & set(given):
        from snakemake.cli import parse_args

        parse_args(given)
        return
    if not {"--cores", "--profile"} & set(given) and not Path("profiles/default/config.yaml").is_file():
        sys.exit("snakemake wants --cores here, which a dry run does not say")
    if "--configfile" not in given:
        given += [word for target, study in SUBJECTS.items() if target in given for word in ("--configfile", study)]
    if "--sdm" in given and given[given.index("--sdm") + 1] in ENVIRONMENTS:
        place = given.index("--sdm")
        del given[place : place + 2]
    for study in AFTER.keys() & set(given):
        for path in plan(*AFTER[study]):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    plan(*given)


def plan(*words: str) -> list[Path]:
    """Files that a command of snakemake would make; an end with its words if it cannot be planned.

    What was planned before, in a folder with the same files, is remembered in the folder that PLANS names.
    """
    remembered = Path(os.environ["PLANS"]) / _digest(words)
    if remembered.exists():
        return [Path(path) for path in json.loads(remembered.read_text())]
    command = [sys.executable, "-m", "snakemake", "-n", *words]
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stdout}")
    missing = re.findall(r"Missing output files: ([^;\n]*)", done.stdout)
    found = [path for paths in missing for path in paths.split(", ")]
    remembered.with_suffix(f".{os.getpid()}").write_text(json.dumps(found))
    remembered.with_suffix(f".{os.getpid()}").rename(remembered)
    return [Path(path) for path in found]


def _digest(words: Sequence[str]) -> str:
    """Of a command and of the files of the folder, but for those of the project itself."""
    files = (path for path in sorted(Path().rglob("*")) if path.is_file() and ".snakemake" not in path.parts)
    known = hashlib.sha256(json.dumps(words).encode())
    for path in files:
        known.update(f"\0{path}\0".encode() + path.read_bytes())
    return known.hexdigest()


def gapdesign(*words: str) -> None:
    """Parse, and run what is cheap."""
    from gapdesign import cli
    from gapdesign.config import study as config

    parser = cli.parser(words[0] if len(words) > 1 else None)
    parser.allow_abbrev = False
    if len(words) == 1 and words[0] not in RUN:  # a verb that the text names
        verbs = next(action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
        sys.exit(None if words[0] in verbs.choices else f"gapdesign has no verb {words[0]}")
    given = vars(parser.parse_args(words))
    study = config.load(given["config"]) if given.get("config") else None
    if given["verb"] in RUN or given.get("action") == "import":
        sys.exit(cli.main(words))
    for name, value in given.items():
        for path in value if isinstance(value, list) else [value]:
            if isinstance(path, Path) and not name.startswith("output") and not path.exists():
                _see_that_it_is_made(path, study and study.study)


def _see_that_it_is_made(path: Path, study: str | None) -> None:
    """See that a file, or something in a folder, of `results/<study>` is made by the workflow."""
    if path.parts[0] != "results":
        sys.exit(f"there is no {path}")
    import yaml

    for configuration in [*Path("config").glob("*.yaml"), *Path("config/studies").glob("*.yaml")]:
        if yaml.safe_load(configuration.read_text())["study"] == path.parts[1] and study in (None, path.parts[1]):
            pattern = re.compile(re.escape(str(path)).replace(r"\*", "[^/]*") + "(/|$)")
            if any(pattern.match(str(made)) for made in plan("--configfile", str(configuration))):
                return
    sys.exit(f"no study makes {path}")


def make(*words: str) -> None:
    """Say what would be run, and leave the model that `make nep` fetches."""
    if words == ("nep",):
        Path("nep89.txt").touch()
    subprocess.run(["/usr/bin/env", "make", "-n", *words], check=True, env=os.environ | {"PATH": os.defpath})


def python(*words: str) -> None:
    """Stop a program where it has parsed its words."""
    if words[:2] == ("-m", "pytest"):
        return pytest(*words[2:])
    program, *rest = words
    sys.argv = [program, *rest]
    sys.path.insert(0, str(Path(program).parent))
    if program in ("config/studies/w_reduce.py",):  # cheap
        runpy.run_path(program, run_name="__main__")
    elif program == "docs/run_page.py":  # tests/unit/test_toy_studies.py runs it
        page, folder = map(Path, rest)
        assert page.is_file() and folder.is_dir()
    else:
        _parse_only(program)
    return None


def _parse_only(program: str) -> None:
    class ParsedError(Exception):
        pass

    parse = argparse.ArgumentParser.parse_args

    def stop(parser: argparse.ArgumentParser, *given: object) -> None:
        parser.allow_abbrev = False
        options = vars(parse(parser, *given))
        missing = [
            str(path)
            for path in options.values()
            if isinstance(path, Path) and path.suffix == ".yaml" and not path.is_file()
        ]
        raise ParsedError(*missing)

    argparse.ArgumentParser.parse_args = stop
    try:
        runpy.run_path(program, run_name="__main__")
    except ParsedError as parsed:
        sys.exit(f"there is no {' '.join(parsed.args)}" if parsed.args else None)
    sys.exit(f"{program} parses no words")


def pytest(*words: str) -> None:
    """Find the tests."""
    files = ["-c", str(ROOT / "pyproject.toml"), "--rootdir", str(ROOT), "-p", "no:cacheprovider"]
    done = subprocess.run([sys.executable, "-m", "pytest", "--collect-only", "-q", *files, *words])
    sys.exit(done.returncode)


def git(*words: str) -> None:
    """Leave what a clone has, as far as later commands of a page read it."""
    if words[0] == "clone":
        name = words[2] if len(words) > 2 else words[1].rsplit("/", 1)[1].removesuffix(".git")
        CLONES[name](Path(name))


def _fitsnap(folder: Path) -> None:
    """Structures of tungsten in FitSNAP's form, in a group that the script reads, as many as the study counts on."""
    study = yaml.safe_load((ROOT / "config/studies/w-reduce.yaml").read_text())
    place = folder / "examples" / "WBe_PRB2019" / "JSON" / "md_bulk"
    place.mkdir(parents=True)
    data = {
        "AtomTypes": ["W"],
        "Positions": [[0, 0, 0]],
        "Lattice": [[3.2, 0, 0], [0, 3.2, 0], [0, 0, 3.2]],
        "Energy": -8.9,
        "Forces": [[0, 0, 0]],
        "Stress": [[0, 0, 0], [0, 0, 0], [0, 0, 0]],
    }
    text = "# a comment\n" + json.dumps({"Dataset": {"Data": [data]}})
    for number in range(1, study["pools"]["size"] + 1):
        (place / f"{number}_cell.json").write_text(text)


def _silicon(folder: Path) -> None:
    """Files of the names that the page names, with nothing in them."""
    place = folder / "Si_Surfaces" / "Original_Dataset"
    place.mkdir(parents=True)
    for name in re.findall(r"^[0-9a-f]{64}  (\S+)$", (ROOT / "docs/si-surfaces.md").read_text(), re.MULTILINE):
        (place / name).touch()


def _project(folder: Path) -> None:
    """The project itself."""
    from pages import copy_project

    copy_project(folder)


CLONES: dict[str, Callable[[Path], None]] = {
    "gapdesign": _project,
    "FitSNAP": _fitsnap,
    "BayesianSelectionMLIP": _silicon,
}
"""Repositories that are cloned, and the parts of them put in their place."""


if __name__ == "__main__":
    _, name, *rest = sys.argv
    leaves = name == "git" or [name, *rest] == ["make", "nep"] or "config/studies/w_reduce.py" in rest
    if name in globals() and (leaves or "ONLY_LEAVE" not in os.environ):
        globals()[name](*rest)
