# Inputs of the rules of quality.
def of_designs_from(pool, pattern):
    """Return the files of the designs of a pool, in the order of the configuration."""
    return expand(results(pattern), design=[name for name in DESIGNS if STUDY.designs[name].pool == pool])


def regrown_from(wildcards):
    """Return the files of the designs of a pool that are chosen again from fewer candidates."""
    names = [name for name in DESIGNS if STUDY.designs[name].pool == wildcards.pool and STUDY.subpools(name)]
    return expand(results("designs/regrown/{design}.csv"), design=names)


def of_pools_chosen(pattern):
    """Return the files of all pools from which anything is chosen."""
    return expand(results(pattern), pool=dict.fromkeys(design.pool for design in STUDY.designs.values()))


EXISTING = {design.pool for design in STUDY.designs.values() if design.existing}
"""Pools with designs that start from an existing set, which is described for the map."""

CURVES_ENVIRONMENT = DESCRIPTOR_ENVIRONMENT if EXISTING else "core"


def existing_from(wildcards):
    """Return the files that the designs of a pool start from."""
    designs = [design for design in STUDY.designs.values() if design.pool == wildcards.pool]
    return [given(path) for path in dict.fromkeys(design.existing for design in designs if design.existing)]


def scaling_if_existing(wildcards):
    """Return the scale of components of environments, if it is needed to describe an existing set."""
    return scaling_of(wildcards) if wildcards.pool in EXISTING else []


def descriptor_files_if_existing(wildcards):
    """Return the user's files that the description of an existing set depends on."""
    return descriptor_files(wildcards) if wildcards.pool in EXISTING else []
