# Shards of pools, and the user's files that candidates are made from.
from gapdesign.samplers.shared.frames import is_extended_xyz


def of_shards(pattern, pool):
    """Return the files of all shards of a pool."""
    return [results(pattern.format(pool=pool, start=start, stop=stop)) for start, stop in STUDY.pools.of(pool).shards]


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


def of_sample(pattern, pool):
    """Return files of shards that are a sample of a pool: the first shard, which a growing pool keeps.

    Where neighbours are alike, shards 1, 2, 4, 8, ... (from 0) are added to represent the later ones. A pool that grows
    has its sample before the first doubling, for which it is asked.
    """
    paths = of_beginning(pattern, pool)
    return [path for n, path in enumerate(paths) if n & (n - 1) == 0][: None if STUDY.pools.of(pool).is_ordered else 1]


def shard_environment(wildcards):
    """Return the environment in which the samplers of a pool make a shard."""
    pool = STUDY.pools.of(wildcards.pool)
    own = FOLDERS[""].member.environment if pool.reads_model else "core"
    return environment(next(iter(pool.environments), own))


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


def prototype_files(wildcards):
    """Return the files of the user's prototypes."""
    return [given(prototype.file) for prototype in STUDY.prototypes.values() if prototype.file]
