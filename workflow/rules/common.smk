# The checked configuration, the place of results, and the files that depend on how pools are cut.
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
from gapdesign.samplers.shared.frames import is_extended_xyz

try:
    from gapdesign import cli
    from gapdesign.config import study as configuration
    from gapdesign.config.part import At

    STUDY = configuration.parse(config)
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


def of_shards(pattern, pool):
    """Return the files of all shards of a pool."""
    return [results(pattern.format(pool=pool, start=start, stop=stop)) for start, stop in STUDY.pools.of(pool).shards]


def environment(name):
    """Return the file of an environment; Snakemake formats its path, which may have braces in it."""
    return escaped(str(installation.FILES / "envs" / f"{name}.yaml"))


def shard_environment(wildcards):
    """Return the environment in which the samplers of a pool make a shard."""
    pool = STUDY.pools.of(wildcards.pool)
    own = FOLDERS[""].member.environment if pool.reads_model else "core"
    return environment(next(iter(pool.environments), own))


def of_all_shards(pattern):
    """Return the files of all shards of all pools that are sampled before any label."""
    return [path for pool in FIRST_POOLS for path in of_shards(pattern, pool)]


def of_beginning(pattern, pool):
    """Return the files of the shards of a pool; of one that grows, those before its first doubling."""
    shards, size = STUDY.pools.of(pool).shards, STUDY.pools.of(pool).sizes[0]
    return of_shards(pattern, pool)[: sum(stop <= size for _, stop in shards)]


def of_beginnings(pattern):
    """Return the files of these of all pools that are sampled before any label."""
    return [path for pool in FIRST_POOLS for path in of_beginning(pattern, pool)]


def of_pools(pattern):
    """Return the files of all pools that are sampled before any label, in the order of the configuration."""
    return expand(results(pattern), pool=FIRST_POOLS)


def of_pool(pattern):
    """Return the files of all shards of the pool that a design is chosen from."""
    return lambda wildcards: bundled(pattern, f"shards/{STUDY.designs[wildcards.design].pool}")


def of_sample(pattern, pool):
    """Return files of shards that are a sample of a pool: the first shard, which a growing pool keeps.

    Where neighbours are alike, shards 1, 2, 4, 8, ... (from 0) are added to represent the later ones. A pool that grows
    has its sample before the first doubling, for which it is asked.
    """
    paths = of_beginning(pattern, pool)
    return [path for n, path in enumerate(paths) if n & (n - 1) == 0][: None if STUDY.pools.of(pool).is_ordered else 1]


@cache
def sampler_data(pool):
    """Return files of potentials of a pool's samplers; where only a job's own environment knows them, there are none."""
    if PLANNING in os.environ:
        return []
    try:
        return STUDY.pools.of(pool).data
    except InputError as error:
        return [] if HAS_ENVIRONMENTS else sys.exit(f"gapdesign: {error}")


def potentials_of(wildcards):
    """Return the files of potentials of the samplers of a pool."""
    return sampler_data(wildcards.pool)


def structures_named(wildcards):
    """Return the files of the user's own structures as they were given, if the pool has some."""
    return [given(path) for path in STUDY.pools.of(wildcards.pool).structures]


def structures_given(wildcards):
    """Return those of them that are not extended XYZ."""
    return [given(path) for path in STUDY.pools.of(wildcards.pool).structures if not is_extended_xyz(path)]


def converted_of(wildcards):
    """Return the file that these are converted to, if there are any."""
    return results("candidates/frames/{pool}.extxyz") if structures_given(wildcards) else []


def structures_of(wildcards):
    """Return the files of the user's own structures as extended XYZ, if the pool has some."""
    plain = [given(path) for path in STUDY.pools.of(wildcards.pool).structures if is_extended_xyz(path)]
    return [*plain, *([converted_of(wildcards)] if structures_given(wildcards) else [])]


def frames_of(wildcards):
    """Return the index of the user's own structures in their files."""
    return results("candidates/frames/{pool}.npy") if structures_of(wildcards) else []


def of_compressed(pattern):
    """Return compressed shards of the pool of a design, for methods that work on them."""
    return lambda wildcards: of_pool(pattern)(wildcards) if is_compressed(wildcards.design) else []


def basis_of(wildcards):
    """Return the basis in which the pool of a design is compressed, for methods that work on that."""
    pool = STUDY.designs[wildcards.design].pool
    return results(f"designs/compressed/{pool}/basis.npz") if is_compressed(wildcards.design) else []


def is_compressed(design):
    return STUDY.designs[design].is_compressed(STUDY.kernel.structure)


def if_environments(file):
    """Return a file of environments, where any design is chosen by them."""
    return file if any(map(reads_environments, DESIGNS)) else []


def environments_of(pattern):
    """Return files of environments of the pool of a design, for methods and distances that read them."""
    return lambda wildcards: of_pool(pattern)(wildcards) if reads_environments(wildcards.design) else []


def rows_of(wildcards):
    """Return the rows of the labels of the pool of a design, for methods that read them."""
    is_read = STUDY.designs[wildcards.design].reads_rows
    return of_pool("rows/{pool}/{start}-{stop}.npz")(wildcards) if is_read else []


def functions_of(wildcards):
    """Return the functions that rows are made of, for methods that read these."""
    return results("rows/functions.npz") if STUDY.designs[wildcards.design].reads_rows else []


def files_of_selection(wildcards, input):
    """Return options with the files that only some selections read; the others have none."""
    given = {name: getattr(input, name) for name in ("basis", "scaling", "rows", "functions", "costs")}
    return options(**given)


def reads_environments(design):
    return STUDY.kernel.structure != "average" or STUDY.designs[design].reads_environments


def costs_of_design(wildcards):
    """Return the costs of the labels of the pool of a design, if a budget of core-hours ends it."""
    return of_pool("designs/costs/{pool}/{start}-{stop}.npy")(wildcards) if wildcards.design in PRICED else []


def timed_frames(wildcards):
    """Return the file of frames whose labels were timed, if a law of the costs is fitted to them."""
    return given(STUDY.costs.path)


def prototype_files(wildcards):
    """Return the files of the user's prototypes."""
    return [given(prototype.file) for prototype in STUDY.prototypes.values() if prototype.file]


def descriptor_files(wildcards):
    """Return the user's files that the descriptor depends on, such as a model."""
    return [given(path) for path in STUDY.descriptor.member.files(STUDY.descriptor.options)]


def scaling_of(wildcards):
    """Return the file of the scale of components of environments, if they are not raw."""
    return [] if STUDY.descriptor.components == "raw" else results("descriptors/scaling.npz")


def existing_of(wildcards):
    """Return the file that a design starts from, if any."""
    return given(STUDY.designs[wildcards.design].existing)


def results_where(asked, files):
    """Return results of one or several names, where they are asked for."""
    files = [files] if isinstance(files, str) else files
    return [results(file) for file in files] if asked else []


def of_designs(pattern):
    """Return the files of all designs, in the order of the configuration."""
    return expand(results(pattern), design=DESIGNS, allow_missing=True)


def of_compared(pattern):
    """Return the files of all designs that models are tested on, in the order of the configuration."""
    return expand(results(pattern), design=COMPARED_DESIGNS, allow_missing=True)


def of_first_rounds(pattern):
    """Return the files of all designs that are chosen before any label, in the order of the configuration."""
    return expand(results(pattern), design=FIRST, allow_missing=True)


def of_models(pattern):
    """Return the files of all designs whose models are compared, in the order of the configuration."""
    return expand(results(pattern), design=FITTED, allow_missing=True)
