# The configuration, checked; where results lie; what depends on how pools are cut.
import os
import re
import sys

LIBRARY = rules_folder().parent / "src"
sys.path.insert(0, str(LIBRARY))

from snakemake_interface_executor_plugins.settings import DeploymentMethod

from gapdesign.config import study as configuration
from gapdesign import methods
from gapdesign.errors import InputError
from gapdesign.shards import cut
from gapdesign.samplers.frames import is_extended_xyz

try:
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


envvars:
    DIGEST,


# Threads of a cluster's jobs are not bounded by the cores of the machine that submits them.
if jobs_at_once() is not None:
    free_threads()

DESIGNS = list(STUDY.designs)
DESCRIPTOR_ENVIRONMENT = "gap" if STUDY.descriptor.backend == "quippy" else "core"
SAMPLERS = {member for pool in STUDY.pools.names for member in STUDY.pools.of(pool).members}
NEEDS_QUIPPY = any(
    "entropy" in STUDY.pools.of(pool).members and STUDY.pools.of(pool).entropy.descriptor.kind != "snap"
    for pool in STUDY.pools.names
)
CANDIDATE_ENVIRONMENT = "gap" if NEEDS_QUIPPY else "eam" if "md" in SAMPLERS else "core"
COMPARISON_ENVIRONMENT = "core" if STUDY.comparison.descriptor.kind == "snap" else "gap"
COMPARED = "environments" if STUDY.comparison.of == "environments" else "features"
ENGINE_ENVIRONMENT = "core" if STUDY.labels.engine == "file" else STUDY.labels.engine

# With `--sdm apptainer` every job runs in the image that envs/container.def describes.
IMAGE = LIBRARY.parents[1] / "envs" / "gapdesign.sif"
if DeploymentMethod.APPTAINER in workflow.deployment_settings.deployment_method:
    if not IMAGE.is_file():
        sys.exit(
            f"gapdesign: --sdm apptainer: there is no {IMAGE}; make it with `apptainer build`, see envs/container.def."
        )

    container: str(IMAGE)


# Jobs run the library that stands beside this file: with the interpreter that runs Snakemake, or, where each rule
# has an environment or container of its own, with the one there.
HAS_ENVIRONMENTS = bool(workflow.deployment_settings.deployment_method)
PYTHON = "python" if HAS_ENVIRONMENTS else sys.executable
# Setting a prefix ends Snakemake's strict mode, so it is part of ours. A workflow that uses this one as a module may
# have set a prefix of its own, which stays.
before = shell_prefix() or "set -euo pipefail; "
if "gapdesign()" not in before:
    before = before.replace("{", "{{").replace("}", "}}")
    shell.prefix(
        f"{before}export PYTHONPATH='{LIBRARY}'${{{{PYTHONPATH:+:$PYTHONPATH}}}};"
        f" gapdesign() {{{{ '{PYTHON}' -m gapdesign \"$@\"; }}}}; "
    )


wildcard_constraints:
    pool="|".join(map(re.escape, STUDY.pools.names)),
    design="|".join(map(re.escape, DESIGNS)),
    start=r"\d+",
    stop=r"\d+",
    first=r"\d+",
    last=r"\d+",
    fits="|".join(["bounds", *(f"fits/{re.escape(design)}" for design in DESIGNS)]),


def results(path):
    return f"results/{STUDY.study}/{path}"


OVERHEAD = 700
"""MiB that a job needs beside what its verb is allowed: Snakemake twice, on a cluster, and the interpreter."""


def growing(amount):
    """A resource that doubles at every attempt, for a job that was killed because it wanted more."""
    return lambda wildcards, attempt: amount * 2 ** (attempt - 1)


def given(file):
    """A file of the user's, which no prefix of a module moves."""
    return local(file) if file else []


def part(verb):
    """What a verb reads of the configuration: a changed value reruns the jobs that depend on it, and no other."""
    return lambda wildcards: configuration.part(STUDY, verb, design=wildcards.get("design"), pool=wildcards.get("pool"))


def of_shards(pattern, pool):
    """Files of all shards of a pool."""
    ranges = cut(STUDY.pools.of(pool).size, STUDY.pools.shard_size)
    return [results(pattern.format(pool=pool, start=start, stop=stop)) for start, stop in ranges]


def shard_runtime(wildcards, attempt):
    """Minutes for a shard of candidates: samplers that move atoms step by step take long."""
    slow = {"md", "entropy"} & set(STUDY.pools.of(wildcards.pool).members)
    return growing(720 if slow else 30)(wildcards, attempt)


def of_all_shards(pattern):
    """Files of all shards of all pools."""
    return [path for pool in STUDY.pools.names for path in of_shards(pattern, pool)]


def of_pools(pattern):
    """Files of all pools, in the order of the configuration."""
    return expand(results(pattern), pool=STUDY.pools.names)


def of_pool(pattern):
    """Files of all shards of the pool that a design is chosen from."""
    return lambda wildcards: of_shards(pattern, pool=STUDY.designs[wildcards.design].pool)


def of_sample(pattern, pool):
    """Files of shards that are a sample of a pool: any will do, and the first one a pool that grows keeps.

    Where neighbours are alike, every second, fourth, eighth, ... stand for what comes later.
    """
    paths = of_shards(pattern, pool)
    return [path for n, path in enumerate(paths) if n & (n - 1) == 0][: None if STUDY.pools.of(pool).is_ordered else 1]


def structures_of(wildcards):
    """The user's own structures as extended XYZ, if the pool has some."""
    options = STUDY.pools.of(wildcards.pool)
    if "file" not in options.members:
        return []
    path = options.file.path
    return given(path) if is_extended_xyz(path) else results("candidates/frames/{pool}.extxyz")


def frames_of(wildcards):
    """Where the user's own structures lie in their file."""
    return results("candidates/frames/{pool}.npy") if structures_of(wildcards) else []


def of_compressed(pattern):
    """Compressed shards of the pool of a design, for methods that work on them."""
    return lambda wildcards: of_pool(pattern)(wildcards) if is_compressed(wildcards.design) else []


def basis_of(wildcards):
    """What the pool of a design is compressed by, for methods that work on that."""
    pool = STUDY.designs[wildcards.design].pool
    return results(f"designs/compressed/{pool}/basis.npz") if is_compressed(wildcards.design) else []


def is_compressed(design):
    return methods.is_compressed(STUDY.designs[design].method, STUDY.kernel.structure)


def if_environments(file):
    """A file of environments, where any design is chosen by them."""
    return file if any(map(reads_environments, DESIGNS)) else []


def environments_of(pattern):
    """Files of environments of the pool of a design, for methods and distances that read them."""
    return lambda wildcards: of_pool(pattern)(wildcards) if reads_environments(wildcards.design) else []


def reads_environments(design):
    return STUDY.kernel.structure != "average" or STUDY.designs[design].reads_environments


def existing_of(wildcards):
    """The file that a design starts from, if any."""
    return given(STUDY.designs[wildcards.design].existing)


def results_where(asked, files):
    """Results of these names, of one or of several, where they are asked for."""
    files = [files] if isinstance(files, str) else files
    return [results(file) for file in files] if asked else []


def of_designs(pattern):
    """Files of all designs, in the order of the configuration."""
    return expand(results(pattern), design=DESIGNS)
