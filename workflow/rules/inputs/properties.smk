# Inputs of the rules of properties.
from gapdesign.report import properties_figures

POTENTIALS = DESIGNS + ["reference"] * bool(STUDY.properties.of_reference(ENGINE))
PROPERTY_FIGURES = [
    f"figures/{name}{suffix}"
    for name in properties_figures.names(STUDY.properties.compute)
    for suffix in (".svg", ".pdf")
]


def of_potentials(pattern):
    """Return the files of all models, and of the reference engine where it is asked for properties too."""
    return expand(results(pattern), design=POTENTIALS)


def if_properties(files):
    """Return results on properties, where any are asked for."""
    return results_where(STUDY.properties.compute, files)
