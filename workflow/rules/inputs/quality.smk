# Inputs of the rules of quality.
def of_designs_from(pool, pattern):
    """Return the files of the designs of a pool that are chosen before any label, in the order of the configuration."""
    return expand(results(pattern), design=[name for name in STUDY.designs_from(pool) if name in FIRST])


def regrown_from(wildcards):
    """Return the files of the designs of a pool that are chosen again from fewer candidates."""
    names = filter(STUDY.subpools, STUDY.designs_from(wildcards.pool))
    return expand(results("designs/regrown/{design}.csv"), design=list(names))


def polished_from(wildcards):
    """Return the features of the designs of a pool that are polished, whose structures are no candidates."""
    names = [name for name in STUDY.designs_from(wildcards.pool) if name in POLISHED]
    return expand(results("designs/{design}.npy"), design=names)


def of_pools_chosen(pattern):
    """Return the files of all pools from which anything is chosen before any label."""
    return expand(results(pattern), pool=dict.fromkeys(STUDY.designs[name].pool for name in FIRST))


# An existing set is described for the map.
CURVES_ENVIRONMENT = DESCRIPTOR_ENVIRONMENT if any(map(STUDY.existing_from, STUDY.pools.names)) else "core"


def existing_from(wildcards):
    """Return the files that the designs of a pool start from."""
    return [given(path) for path in STUDY.existing_from(wildcards.pool)]


def scaling_if_existing(wildcards):
    """Return the scale of components of environments, if it is needed to describe an existing set."""
    return scaling_of(wildcards) if STUDY.existing_from(wildcards.pool) else []


def descriptor_files_if_existing(wildcards):
    """Return the user's files that the description of an existing set depends on."""
    return descriptor_files(wildcards) if STUDY.existing_from(wildcards.pool) else []
