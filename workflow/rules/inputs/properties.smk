# Inputs of the rules of properties.
from gapdesign.report import properties_figures

HAS_REFERENCE = bool(STUDY.properties.of_reference(ENGINE))
PROPERTY_FIGURES = [
    f"{{folder}}figures/{name}{suffix}"
    for name in properties_figures.names(STUDY.properties.compute)
    for suffix in (".svg", ".pdf")
]


def of_potentials(pattern):
    """Return the files of all models of one kind, and of the reference engine where it is asked for properties too."""
    reference = [results(pattern.format(folder="", design="reference"))] if HAS_REFERENCE else []
    return of_models(pattern) + reference


def if_properties(files):
    """Return results on properties, where any are asked for."""
    return results_where(STUDY.properties.compute, files)
