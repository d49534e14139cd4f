# What features depend on, and the files of environments.


def descriptor_files(wildcards):
    """Return the user's files that the descriptor depends on, such as a model."""
    return [given(path) for path in STUDY.descriptor.member.files(STUDY.descriptor.options)]


def scaling_of(wildcards):
    """Return the file of the scale of components of environments, if they are not raw."""
    return [] if STUDY.descriptor.components == "raw" else results("descriptors/scaling.npz")


def if_environments(file):
    """Return a file of environments, where any design is chosen by them."""
    return file if any(map(reads_environments, DESIGNS)) else []


def environments_of(pattern):
    """Return files of environments of the pool of a design, for methods and distances that read them."""
    return lambda wildcards: of_pool(pattern)(wildcards) if reads_environments(wildcards.design) else []


def reads_environments(design):
    return STUDY.kernel.structure != "average" or STUDY.designs[design].reads_environments
