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
