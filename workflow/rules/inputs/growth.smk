# Inputs of the rule of growth, and of shards that are made only if their pool grows so far.
GROWING = [pool for pool in STUDY.pools.names if STUDY.pools.of(pool).growth]
"""Pools that grow until they are wide enough."""


def step(wildcards):
    """Return the number of the doubling by which a pool gets a shard; 0 for all that are made whatever is found."""
    # After the first doubling there is something to compare.
    sizes = STUDY.pools.of(wildcards.pool).sizes
    place = sum(size <= int(wildcards.start) for size in sizes)
    return place if place > 1 else 0


def growth_before(wildcards):
    """Return what was found about the pool of a shard when it was half as large, if the shard depends on that."""
    sizes, place = STUDY.pools.of(wildcards.pool).sizes, step(wildcards)
    return results(f"growth/{wildcards.pool}/{sizes[place - 1]}.json") if place else []


def growth_of_half(wildcards):
    """Return what was found about a pool before its last doubling, if there was one."""
    sizes = STUDY.pools.of(wildcards.pool).sizes
    place = sizes.index(int(wildcards.size))
    return results(f"growth/{wildcards.pool}/{sizes[place - 1]}.json") if place else []


def of_first(pattern):
    """Return the files of the shards that a pool has at one of the sizes at which it may end."""

    def files(wildcards):
        shards = STUDY.pools.of(wildcards.pool).shards
        count = sum(stop <= int(wildcards.size) for _, stop in shards)
        return bundled(pattern, f"shards/{wildcards.pool}", count)

    return files


def of_growth(asked=GROWING):
    """Return all that is found about the pools that grow, at the end."""
    return [results(f"growth/{pool}/{STUDY.pools.of(pool).most}.json") for pool in asked]


def in_group(name):
    """Return the group of the jobs of a shard, apart for each doubling, which waits for what was found before it."""
    return lambda wildcards: part_of_group(name, step(wildcards))
