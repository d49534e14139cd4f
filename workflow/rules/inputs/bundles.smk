# Bundles: lists of many files, which stand for them where jobs read whole stretches of designs or shards. Snakemake's
# time and memory grow with the inputs of all jobs, and those would grow with the square of the designs.

BUNDLE = 10
"""Members of a bundle: designs, shards, or bundles. What is left over goes by its files, so small studies have none."""

BUNDLED = {
    "candidates": "candidates/{pool}/{start}-{stop}.npz",
    "descriptors": "descriptors/{pool}/{start}-{stop}.npy",
    "sums": "descriptors/{pool}/sums/{start}-{stop}.npy",
    "environments": "descriptors/{pool}/environments/{start}-{stop}.npz",
    "compressed": "designs/compressed/{pool}/{start}-{stop}.npy",
    "codes": "designs/compressed/{pool}/codes/{start}-{stop}.npy",
    "label_rows": "rows/{pool}/{start}-{stop}.npz",
    "costs": "designs/costs/{pool}/{start}-{stop}.npy",
    "rows": "replay/rows/{pool}/{start}-{stop}.npy",
    "designs": "designs/{design}.extxyz",
    "features": "designs/{design}.npy",
    "reserves": "designs/reserve/{design}.extxyz",
    "batches": "labels/batches/{design}/{first}-{last}.extxyz",
    "failed_batches": "labels/batches/{design}/{first}-{last}.failed.csv",
    "labels": "labels/{design}.extxyz",
    "failed": "labels/failed/{design}.csv",
}
"""Files that are bundled, by the name of their kind."""

KINDS = {pattern: kind for kind, pattern in BUNDLED.items()}

DESIGNS_OF_POOLS = {pool: STUDY.designs_from(pool) for pool in STUDY.pools.names}

SERIES = {
    "designs": [{"design": name} for name in DESIGNS],
    "compared": [{"design": name} for name in COMPARED_DESIGNS],
    **{f"pools/{pool}": [{"design": name} for name in names] for pool, names in DESIGNS_OF_POOLS.items()},
    **{
        f"shards/{pool}": [{"pool": pool, "start": start, "stop": stop} for start, stop in STUDY.pools.of(pool).shards]
        for pool in STUDY.pools.names
    },
}
"""What files belong to, in order: all designs, those that models are tested on, those of a pool, or the shards of one."""

TESTED = "designs" if COMPARED_DESIGNS == DESIGNS else "compared"

BATCHES = {design: [{"first": first, "last": last} for first, last in STUDY.batches(design)] for design in DESIGNS}


wildcard_constraints:
    series="|".join(map(re.escape, SERIES)),
    kind="|".join(BUNDLED),
    begin=r"\d+",
    end=r"\d+",


def stretch(pattern, series, begin, end):
    """Return the files of some members of a series."""
    members = SERIES[series][begin:end]
    if "{first}" in pattern:
        members = [member | batch for member in members for batch in BATCHES[member["design"]]]
    return [results(pattern.format(**member)) for member in members]


@cache
def bundled(pattern, series, count=None):
    """Return the files of the first members of a series: tens, hundreds ... as bundles, the rest by themselves."""
    count = len(SERIES[series]) if count is None else count
    size = BUNDLE ** max(power for power in range(9) if BUNDLE**power <= max(count, 1))
    paths, begin = [], 0
    while size > 1:
        while begin + size <= count:
            paths.append(bundle_of(KINDS[pattern], series, begin, begin + size))
            begin += size
        size //= BUNDLE
    return paths + stretch(pattern, series, begin, count)


def bundle_of(kind, series, begin, end):
    """Return the bundle of some members of a series."""
    return results(f"bundles/{series}/{kind}/{begin}-{end}.bundle")


def bundled_of_pools(pattern):
    """Return the files of all shards of all pools."""
    return [path for pool in STUDY.pools.names for path in bundled(pattern, f"shards/{pool}")]


def bundle_members(wildcards):
    """Return what a bundle lists: files, or smaller bundles."""
    begin, end = int(wildcards.begin), int(wildcards.end)
    step = (end - begin) // BUNDLE
    if step == 1:
        return stretch(BUNDLED[wildcards.kind], wildcards.series, begin, end)
    return [bundle_of(wildcards.kind, wildcards.series, at, at + step) for at in range(begin, end, step)]
