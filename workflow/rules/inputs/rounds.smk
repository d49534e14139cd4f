# Inputs of the rules of rounds: what belongs to the designs that one continues.
def of_round_before(*patterns):
    """Return files of the design that one continues."""
    return lambda wildcards: [results(p.format(design=STUDY.chain(wildcards.design)[1])) for p in patterns]


def of_rounds_before(pattern):
    """Return a file of each design that one continues, the latest first."""
    return lambda wildcards: [results(pattern.format(design=name)) for name in STUDY.chain(wildcards.design)[1:]]


def labelled_before_sampling(wildcards):
    """Return the labelled design after which a pool is sampled, if there is one."""
    after = STUDY.pools.of(wildcards.pool).after
    return results(f"labels/{after}.extxyz") if after else []


def model_before_sampling(wildcards):
    """Return the model, of the first kind, of that design, where the sampler goes by it."""
    pool = STUDY.pools.of(wildcards.pool)
    return results(f"models/{pool.after}/{FOLDERS[''].member.files[0]}") if pool.reads_model else []


def costs_before(wildcards):
    """Return what the labels of the design that one continues cost by the clock, where that says what comes."""
    after = STUDY.designs[wildcards.design].after
    return results(f"labels/costs/{after.design}.csv") if wildcards.design in PRICED and after.rescaled else []


def judged_before(wildcards):
    """Return what the design that one continues was worth, where that may end the chain."""
    after = STUDY.designs[wildcards.design].after
    return results(f"rounds/{after.design}/judged.csv") if after.stop is not None else []


def models_before(wildcards):
    """Return the models, of the first kind, of the design that one continues and, if there is one, of that before it."""
    file = FOLDERS[""].member.files[0]
    return [results(f"models/{name}/{file}") for name in STUDY.chain(wildcards.design)[1:3]]


def if_rounds(file):
    """Return a result on rounds, where there are any."""
    return results_where(LATER, file)
