"""The command line: a verb for each rule of the workflow, and a few for people.

A verb parses its arguments, calls one function of the library, and writes what it returns. Each module
here holds the verbs of one stage.
"""

from __future__ import annotations

import argparse
import errno
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from gapdesign import __version__, records
from gapdesign.contents import refuse_replaced
from gapdesign.errors import InputError, ProgramError, printable

if TYPE_CHECKING:
    from gapdesign.config.job import Job

VERBS = {
    "study": ("check", "plan", "leftovers", "estimate", "document"),
    "new": ("new",),
    "candidates": ("candidates", "candidate", "convert", "frames", "refused"),
    "descriptors": ("descriptors", "scaling"),
    "rows": ("row-functions", "rows"),
    "tune": ("tune",),
    "pools": ("environments", "pools", "coverage"),
    "growth": ("grow",),
    "design": ("costs", "basis", "compress", "select", "verify"),
    "polish": ("polish",),
    "sets": ("pick",),
    "audit": ("audit",),
    "cover": ("cover",),
    "worth": ("worth",),
    "strains": ("strains",),
    "quality": ("quality", "concatenate", "regrow", "raise", "curves"),
    "page": ("page",),
    "bundles": ("bundle",),
    "labels": ("engine", "isolated", "label", "labels", "failed"),
    "store": ("store", "match"),
    "export": ("export",),
    "models": ("hyperparameters", "fit"),
    "rounds": ("round-learn", "round-choose", "round-judge"),
    "crossval": ("predict", "crossval"),
    "properties": ("measure", "measure-reference", "properties", "properties-figures"),
    "replay": ("replay-points", "replay-rows", "replay-labels", "replay-start", "replay-choose"),
    "replay_fits": ("replay-fit", "replay-bounds", "replay-surfaces", "replay", "replay-potential"),
    "report": ("provenance", "figures", "report", "headline"),
    "crate": ("crate",),
    "profiles": ("profiles", "cancel"),
}
"""The modules of this package, in the order of the stages, and the verbs that each adds. A run of one verb imports its
module alone: a study runs thousands, and others would be most of the time of a short one."""

_DESCRIPTION = """\
Choose the structures that a machine-learning interatomic potential should be trained on, before any
of them is paid for.

You rarely call these verbs yourself: `snakemake` runs them in order, and `snakemake --printshellcmds`
shows how. Each also works by hand."""

_EPILOG = """\
look at a study:       gapdesign check --config config/config.yaml
print one candidate:   gapdesign candidate --pool A --index 4711
read the result:       gapdesign headline results/zr-demo

Help on a verb: gapdesign VERB --help. Every key of the configuration: config/README.md."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb and return 0, 2 after a user's mistake, 1 if a program failed, or 130 when interrupted."""
    try:
        try:
            return _run(arguments)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:  # the reader of the output, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _run(arguments: Sequence[str] | None) -> int:
    try:
        words = list(sys.argv[1:] if arguments is None else arguments)
        if words == ["-"]:
            words = _arguments()
        options = parser(words[0] if words else None).parse_args(words)
    except InputError as error:  # of a package that is installed beside this one
        print(f"gapdesign: {error}", file=sys.stderr)
        return 2
    try:
        _say_where(options)
        _call(options)
        _say_what(options)
    except InputError as error:
        print(f"gapdesign {options.verb}: {error}", file=sys.stderr)
        return 2
    except ProgramError as error:
        print(f"gapdesign {options.verb}: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        raise
    except OSError as error:
        where, what = error.filename or _full(error, options) or "a file", error.strerror or error
        print(printable(f"gapdesign {options.verb}: {where}: {what}."), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"gapdesign {options.verb}: interrupted; nothing half-written is left.", file=sys.stderr)
        return 130
    return 0


def _full(error: OSError, options: argparse.Namespace) -> str | None:
    """Return the folder whose disk is full, where an error says that one is."""
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return None
    places = {"labels.scratch": getattr(options, "scratch", None), "TMPDIR": tempfile.gettempdir(), "study": "."}
    for key, folder in places.items():
        if folder is not None and shutil.disk_usage(folder).free < 2**20:
            return f"{os.path.abspath(folder)} ({key})"
    return None


def _arguments() -> list[str]:
    """Return arguments from standard input, each ended by a zero byte: it has no limit, as a command line has."""
    words = sys.stdin.buffer.read().split(b"\0")
    if words.pop():
        raise InputError("-: standard input ends within an argument; end each with a zero byte.")
    return [os.fsdecode(word) for word in words]


def _call(options: argparse.Namespace) -> None:
    """Run the verb, with its part of the configuration if it reads any."""
    job = options.job
    if job is None:
        options.run(options)
        return
    planned = _planned(options)
    with records.of_job(records.digest(planned) if planned else None, _outputs(options)):
        if job.reads is None:
            options.run(options)
        else:
            about = {name: getattr(options, name, None) for name in ("design", "pool", "kind")}
            options.run(options, job.load(options.config, **about))
    if planned:
        refuse_replaced(planned)


def _outputs(options: argparse.Namespace) -> list[Path]:
    """Return the files that a verb is asked to write."""
    values = [value for name, value in vars(options).items() if name.startswith("output") and value]
    return [path for value in values for path in (value if isinstance(value, list) else [value])]


def _planned(options: argparse.Namespace) -> str | None:
    """Return what the workflow makes a job from, as JSON; None where a person runs the verb."""
    given = options.made_from if options.job.reads is None else options.config
    return given if given and given.lstrip().startswith("{") else None


def jobs() -> dict[str, Job]:
    """Return the verbs that are jobs of the workflow, in the order of the stages."""
    modules = [import_module(f"gapdesign.cli.{name}") for name in VERBS]
    return {job.verb: job for module in modules for job in getattr(module, "JOBS", ())}


_SCHEDULERS = {
    "SLURM_JOB_ID": "Slurm",
    "LSB_JOBID": "LSF",
    "PBS_JOBID": "PBS",
    "_CONDOR_SLOT": "HTCondor",
    "JOB_ID": "SGE",
}
"""Environment variables in which schedulers pass a job its number."""


def _say_where(options: argparse.Namespace) -> None:
    """Write the node and the job's number to the log on a cluster, where you look when a job has failed."""
    from gapdesign.cli.arguments import say

    for variable, scheduler in _SCHEDULERS.items():
        if number := os.environ.get(variable):
            node = os.environ.get("SLURMD_NODENAME", platform.node())
            say(f"gapdesign {options.verb} on {node}, {scheduler} job {number}")
            return


def _say_what(options: argparse.Namespace) -> None:
    from gapdesign.cli.arguments import say

    paths = _outputs(options)
    if paths:
        say(f"wrote {', '.join(map(str, paths))}")


def parser(verb: str | None = None) -> argparse.ArgumentParser:
    """Return the parser of the command line: of one verb, if there is one of that name, and otherwise of all."""
    whole = argparse.ArgumentParser(
        prog="gapdesign",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    whole.add_argument("--version", action="version", version=f"gapdesign {__version__}")
    verbs = whole.add_subparsers(dest="verb", required=True, metavar="VERB", title="verbs, in the order of the stages")
    for name in [name for name, own in VERBS.items() if verb in own] or VERBS:
        import_module(f"gapdesign.cli.{name}").register(verbs)
    return whole
