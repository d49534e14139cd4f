# What the rules of quality take.
def of_designs_from(pool, pattern):
    """Files of the designs of a pool, in the order of the configuration."""
    return expand(results(pattern), design=[name for name in DESIGNS if STUDY.designs[name].pool == pool])


def regrown_from(wildcards):
    """What designs of a pool would be had it fewer candidates, of those that are chosen again."""
    names = [name for name in DESIGNS if STUDY.designs[name].pool == wildcards.pool and STUDY.subpools(name)]
    return expand(results("designs/regrown/{design}.csv"), design=names)


def of_pools_chosen(pattern):
    """Files of all pools from which anything is chosen."""
    return expand(results(pattern), pool=dict.fromkeys(design.pool for design in STUDY.designs.values()))
