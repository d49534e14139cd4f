# What the rules of labels take: engines and their files, and who labels what.
import shlex

from gapdesign import engines

# What no rule declares gets no prefix from a module.
RUNS = prefixed(results("labels/runs"))


def where_to_run(wildcards, threads):
    """Where labels are kept and engines run. Snakemake does not rerun jobs for params that ask for the threads."""
    runs = ["--store", STUDY.labels.store, "--runs", RUNS, "--keep", STUDY.labels.keep]
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


def up_to(design):
    """A design and all before it: a structure is labelled for the first design that holds it."""
    return DESIGNS[: DESIGNS.index(design) + 1]


def of_same_pool(design):
    """A design and those of its pool before it: what they hold in reserve, they label one after another."""
    return [name for name in up_to(design) if STUDY.designs[name].pool == STUDY.designs[design].pool]


def of_batches(pattern, designs):
    """Files of all batches of labels of some designs."""
    ranges = cut(STUDY.budget, STUDY.labels.chunk)
    return [results(pattern.format(design=d, first=first, last=last)) for d in designs for first, last in ranges]


def designs_labelled(wildcards):
    """A design and all before it."""
    return expand(results("designs/{design}.extxyz"), design=up_to(wildcards.design))


def reserves_before(wildcards):
    """What earlier designs of the same pool hold in reserve."""
    return expand(results("designs/reserve/{design}.extxyz"), design=of_same_pool(wildcards.design)[:-1])


def reserves_labelled(wildcards):
    """What a design and earlier ones of the same pool hold in reserve."""
    return expand(results("designs/reserve/{design}.extxyz"), design=of_same_pool(wildcards.design))


def labelled_before(wildcards):
    """Labels of the batches of a design and all before it, and of what earlier designs of the pool had in reserve."""
    batches = of_batches("labels/batches/{design}/{first}-{last}.extxyz", up_to(wildcards.design))
    return batches + expand(results("labels/{design}.extxyz"), design=of_same_pool(wildcards.design)[:-1])


def failed_before(wildcards):
    """The same for the tables of structures without a label."""
    batches = of_batches("labels/batches/{design}/{first}-{last}.failed.csv", up_to(wildcards.design))
    return batches + expand(results("labels/failed/{design}.csv"), design=of_same_pool(wildcards.design)[:-1])
