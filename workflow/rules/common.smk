# The checked configuration, how jobs call the library, what each reads of the configuration, and what it asks for.
import os
import re
import shlex
import sys
from functools import cache
from pathlib import Path

from snakemake_interface_executor_plugins.settings import DeploymentMethod

from gapdesign import records
from gapdesign.contents import MEMORY, Contents
from gapdesign.engines import ENGINES
from gapdesign.planning.dag import PLANNING

try:
    from gapdesign import cli
    from gapdesign.config import study as configuration
    from gapdesign.config.part import At

    STUDY = configuration.parse(config)
    if is_head():  # jobs on a cluster have the same one, as the checksum below sees to
        configuration.check(STUDY)
except InputError as error:
    sys.exit(f"gapdesign: {error}")

# A job on a cluster reads the configuration again: it must be the one that the run began with.
DIGEST = "_".join(filter(None, ("GAPDESIGN_CONFIGURATION", module_name())))
CHECKSUM = configuration.checksum(STUDY)
if is_head():
    os.environ[DIGEST] = CHECKSUM
elif os.environ.setdefault(DIGEST, CHECKSUM) != CHECKSUM:
    sys.exit(
        f"gapdesign: {', '.join(map(os.path.relpath, configuration_files()))} was edited after this run began, and this job would follow"
        " another configuration than those before it; stop the run and type the same command again."
    )

# Snakemake starts itself again in the study's folder, which may hold a file `yaml.py`. Programs of the user's may
# need modules beside them, so the prefix below takes it away. A workflow that uses this as a module decides for itself.
SAFE = ["PYTHONSAFEPATH"] if is_main() else []
for variable in SAFE:
    os.environ.setdefault(variable, "1")


envvars:
    DIGEST,
    *SAFE,


# Threads of a cluster's jobs are not bounded by the cores of the machine that submits them.
if jobs_at_once() is not None:
    free_threads()

DESIGNS = list(STUDY.designs)
FIRST = STUDY.first_rounds()
FIRST_POOLS = STUDY.first_pools()
LATER = STUDY.later_rounds()
POLISHED = STUDY.polished()
PRICED = STUDY.priced()
# What labels cost by the clock is measured where a later round is chosen within core-hours.
REMEASURED = any(design in PRICED and STUDY.designs[design].after.rescaled for design in LATER)
RAISED = [design for design in PRICED if design in FIRST]
COMPARED_DESIGNS = STUDY.compared()
FITTED = STUDY.fitted()
DESCRIPTOR_ENVIRONMENT = STUDY.descriptor.member.environment
COMPARISON_ENVIRONMENT = STUDY.comparison.descriptor.environment
COMPARED = "environments" if STUDY.comparison.of == "environments" else "features"
ENGINE = ENGINES[STUDY.labels.engine]

# With `--sdm apptainer` every job runs in the image that envs/container.def describes.
IMAGE = installation.FILES / "envs" / "gapdesign.sif"
if DeploymentMethod.APPTAINER in workflow.deployment_settings.deployment_method:
    if not IMAGE.is_file():
        sys.exit(
            f"gapdesign: --sdm apptainer: there is no {IMAGE}; build it with `apptainer build`, see envs/container.def."
        )

    container: str(IMAGE)


# With `--sdm conda` a job runs in one environment, and so do all samplers that share a pool.
if DeploymentMethod.CONDA in workflow.deployment_settings.deployment_method:
    for pool in STUDY.pools.names:
        if len(needed := STUDY.pools.of(pool).environments) > 1:
            sys.exit(
                f"gapdesign: pools.mixture: the samplers of pool {pool} run in different environments, {' and '.join(sorted(needed))};"
                " give each a pool of its own, or run without --sdm conda."
            )

# Jobs run the library that stands beside this file: with the interpreter that runs Snakemake, or, where each rule
# has an environment or container of its own, with the one there. `-P`: a study's folder may hold a file `numpy.py`.
# A program takes some 2 MB of arguments, and 128 kB in one: more than that goes by standard input.
if os.pathsep in str(LIBRARY):
    sys.exit(
        f"gapdesign: {LIBRARY}: Python cannot import from a folder with {os.pathsep!r} in its name; move the checkout."
    )
CALL = """export PYTHONPATH={library}${{PYTHONPATH:+:$PYTHONPATH}}; gapdesign() {{ local all="$*"
if (( ${{#all}} < 100000 )); then PYTHONSAFEPATH= {python} -P -m gapdesign "$@"
else printf '%s\\0' "$@" | PYTHONSAFEPATH= {python} -P -m gapdesign -; fi; }}; """


def call_of(python):
    """Return the beginning of all commands, which lets `gapdesign` stand for the library beside this file."""
    return CALL.format(library=shlex.quote(str(LIBRARY)), python=shlex.quote(python))


def escaped(text):
    """Return text that Snakemake is not to format."""
    return text.replace("{", "{{").replace("}", "}}")


HAS_ENVIRONMENTS = bool(workflow.deployment_settings.deployment_method)
PYTHON = "python" if HAS_ENVIRONMENTS else sys.executable
# Setting a prefix ends Snakemake's strict mode, so it is part of ours. A workflow that uses this one as a module may
# have set a prefix of its own, which stays.
before = shell_prefix() or "set -euo pipefail; "
if "gapdesign()" not in before:
    before = escaped(before)
    shell.prefix(before + escaped(call_of(PYTHON)))


wildcard_constraints:
    pool="|".join(map(re.escape, STUDY.pools.names)),
    design="|".join(map(re.escape, DESIGNS)),
    start=r"\d+",
    stop=r"\d+",
    first=r"\d+",
    last=r"\d+",
    size=r"\d+",
    fits="|".join(["bounds", *(f"fits/{re.escape(design)}" for design in DESIGNS)]),


def results(path):
    return f"results/{STUDY.study}/{path}"


def given(file):
    """Return a file of the user's, which no prefix of a module moves."""
    return local(str(Path(file))) if file else []


def options(**files):
    """Return options of a verb, each with its files; those without a file are left out."""
    named = {name: [file] if isinstance(file, str) else list(file) for name, file in files.items()}
    return shlex.join(w for name, paths in named.items() if paths for w in (f"--{name.replace('_', '-')}", *paths))


def each_as(flag, files):
    """Return options of a verb: the same one for each file, whose name may begin with a dash."""
    return shlex.join(f"{flag}={file}" for file in files)


JOBS = cli.jobs()
"""Each verb with the configuration that it reads and the resources that its job asks for."""


def at(wildcards):
    """Return the design or the pool, and the kind of model, that a job is about."""
    return At(STUDY, wildcards.get("design"), wildcards.get("pool"), kind_of(wildcards))


CONTENTS = Contents(MEMORY, is_kept=is_head())
remember(lambda file, config: records.differs(file, records.digest(config)))


def part(verb, *files):
    """Return the part of the configuration that a verb reads, so that a changed value reruns only jobs that depend on it.

    The contents of `files` are part of it too: input functions of files of the user's, which may be replaced by older ones.
    """

    def read(wildcards):
        paths = [str(path) for function in files for path in listed(function(wildcards))]
        return JOBS[verb].part(at(wildcards), CONTENTS.of([path for path in paths if not path.startswith(results(""))]))

    return read


def listed(paths):
    return [paths] if isinstance(paths, str) else paths


def asks(verb):
    """Return what a job asks a scheduler for; memory and time double at every attempt."""
    job = JOBS[verb]
    resources = {
        "mem_mb": lambda wildcards, attempt: job.megabytes(at(wildcards)) * 2 ** (attempt - 1),
        "runtime": lambda wildcards, attempt: job.time_limit(at(wildcards)) * 2 ** (attempt - 1),
    }
    if job.allowance is not None:
        resources["allowance"] = lambda wildcards: job.allowed(at(wildcards))
    return resources


def cores(verb, kind=None):
    """Return the cores of a job."""
    return JOBS[verb].cores(At(STUDY, kind=kind))


def environment(name):
    """Return the file of an environment; Snakemake formats its path, which may have braces in it."""
    return escaped(str(installation.FILES / "envs" / f"{name}.yaml"))
