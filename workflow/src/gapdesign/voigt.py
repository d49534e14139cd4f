"""Components of symmetric tensors, such as strains and virials, in Voigt's order, and their place among labels."""

VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
"""Components of a symmetric tensor in Voigt's order: xx, yy, zz, yz, xz, xy."""

VOIGT_NAMES = tuple(f"{'xyz'[a]}{'xyz'[b]}" for a, b in VOIGT)

OFFSET = 1 + len(VOIGT)
"""Labels of a structure before its forces: its energy and its virial."""
