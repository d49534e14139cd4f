# What the rules of labels take: engines and their files, and who labels what.

from gapdesign import engines

# What no rule declares gets no prefix from a module.
RUNS = prefixed(results("labels/runs"))


def where_to_run(wildcards, threads):
    """Where labels are kept and engines run. Snakemake does not rerun jobs for params that ask for the threads."""
    runs = ["--store", STUDY.labels.store, "--runs", RUNS, "--keep", STUDY.labels.keep, "--cores", str(threads)]
    scratch = ["--scratch", STUDY.labels.scratch] if STUDY.labels.scratch is not None else []
    return shlex.join([*runs, *scratch])


def max_failed(wildcards, threads):
    """How much may fail: it stops a study, and changes no result of one that goes on."""
    return STUDY.labels.max_failed


@cache
def engine_inputs():
    """Files that the engine reads; asked only when something is to be labelled, and then before any job.

    Where jobs run with this interpreter, the engine is checked here and now; where they have an environment of their own,
    only that knows what it can run, and the rule `labels_engine` asks there.
    """
    if PLANNING in os.environ:
        return []
    try:
        engine = engines.make(STUDY.labels.engine, STUDY.labels)
        if not engine.computes or not HAS_ENVIRONMENTS:
            engine.check(STUDY.symbols())
        return [given(str(path)) for path in engine.files]
    except InputError as error:
        sys.exit(f"gapdesign: {error}")


def engine_contents(wildcards):
    """Files by whose contents labels differ: those that the engine reads, and the potentials that it labels with."""
    return [*engine_inputs(), *engine_data()]


@cache
def engine_data():
    """Files of potentials; where only a job's own environment knows them, there are none."""
    if PLANNING in os.environ:
        return []
    try:
        return [str(path) for path in engines.make(STUDY.labels.engine, STUDY.labels).data]
    except InputError as error:
        return [] if HAS_ENVIRONMENTS else sys.exit(f"gapdesign: {error}")


def engine_files(wildcards):
    """Files that the engine reads."""
    return engine_inputs()


def engine_record(wildcards):
    """The engine's version at the beginning of the run, by which every label is made; its time redoes no label."""
    return ancient(results("labels/engine.json"))


def place(design):
    """Return how many designs there are up to a design: a structure is labelled for the first that holds it."""
    return DESIGNS.index(design) + 1


def of_same_pool(pattern, design, *, before=False):
    """Return the files of a design and those of its pool before it: what they hold in reserve, they label in turn."""
    pool = STUDY.designs[design].pool
    # What a design continues may be of another pool.
    others = [results(pattern.format(design=name)) for name in STUDY.chain(design) if STUDY.designs[name].pool != pool]
    return bundled(pattern, f"pools/{pool}", DESIGNS_OF_POOLS[pool].index(design) + (not before)) + others


def designs_labelled(wildcards):
    """Return a design and all before it."""
    return bundled("designs/{design}.extxyz", "designs", place(wildcards.design))


def reserves_before(wildcards):
    """Return what earlier designs of the same pool hold in reserve."""
    return of_same_pool("designs/reserve/{design}.extxyz", wildcards.design, before=True)


def reserves_labelled(wildcards):
    """Return what a design and earlier ones of the same pool hold in reserve."""
    return of_same_pool("designs/reserve/{design}.extxyz", wildcards.design)


def labelled_before(wildcards):
    """Return labels of the batches of a design and all before it, and of what earlier designs of the pool had in reserve."""
    batches = bundled("labels/batches/{design}/{first}-{last}.extxyz", "designs", place(wildcards.design))
    return batches + of_same_pool("labels/{design}.extxyz", wildcards.design, before=True)


def failed_before(wildcards):
    """Return the same for the tables of structures without a label."""
    batches = bundled("labels/batches/{design}/{first}-{last}.failed.csv", "designs", place(wildcards.design))
    return batches + of_same_pool("labels/failed/{design}.csv", wildcards.design, before=True)
