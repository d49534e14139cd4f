# What a design is chosen from, and the files of all designs.


def of_pool(pattern):
    """Return the files of all shards of the pool that a design is chosen from."""
    return lambda wildcards: bundled(pattern, f"shards/{STUDY.designs[wildcards.design].pool}")


def of_compressed(pattern):
    """Return compressed shards of the pool of a design, for methods that work on them."""
    return lambda wildcards: of_pool(pattern)(wildcards) if is_compressed(wildcards.design) else []


def basis_of(wildcards):
    """Return the basis in which the pool of a design is compressed, for methods that work on that."""
    pool = STUDY.designs[wildcards.design].pool
    return results(f"designs/compressed/{pool}/basis.npz") if is_compressed(wildcards.design) else []


def is_compressed(design):
    return STUDY.designs[design].is_compressed(STUDY.kernel.structure)


def rows_of(wildcards):
    """Return the rows of the labels of the pool of a design, for methods that read them."""
    is_read = STUDY.designs[wildcards.design].reads_rows
    return of_pool("rows/{pool}/{start}-{stop}.npz")(wildcards) if is_read else []


def functions_of(wildcards):
    """Return the functions that rows are made of, for methods that read these."""
    return results("rows/functions.npz") if STUDY.designs[wildcards.design].reads_rows else []


def costs_of_design(wildcards):
    """Return the costs of the labels of the pool of a design, if a budget of core-hours ends it."""
    return of_pool("designs/costs/{pool}/{start}-{stop}.npy")(wildcards) if wildcards.design in PRICED else []


def timed_frames(wildcards):
    """Return the file of frames whose labels were timed, if a law of the costs is fitted to them."""
    return given(STUDY.costs.path)


def existing_of(wildcards):
    """Return the file that a design starts from, if any."""
    return given(STUDY.designs[wildcards.design].existing)


def files_of_selection(wildcards, input):
    """Return options with the files that only some selections read; the others have none."""
    given = {name: getattr(input, name) for name in ("basis", "scaling", "rows", "functions", "costs")}
    return options(**given)


def results_where(asked, files):
    """Return results of one or several names, where they are asked for."""
    files = [files] if isinstance(files, str) else files
    return [results(file) for file in files] if asked else []


def of_designs(pattern):
    """Return the files of all designs, in the order of the configuration."""
    return expand(results(pattern), design=DESIGNS, allow_missing=True)


def of_compared(pattern):
    """Return the files of all designs that models are tested on, in the order of the configuration."""
    return expand(results(pattern), design=COMPARED_DESIGNS, allow_missing=True)


def of_first_rounds(pattern):
    """Return the files of all designs that are chosen before any label, in the order of the configuration."""
    return expand(results(pattern), design=FIRST, allow_missing=True)


def of_models(pattern):
    """Return the files of all designs whose models are compared, in the order of the configuration."""
    return expand(results(pattern), design=FITTED, allow_missing=True)
