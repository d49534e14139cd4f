"""A stand-in for VASP, for tests alone: it reads VASP's input and writes a vasprun.xml as VASP would.

Energy, forces and stress are those of an embedded-atom potential, in VASP's order of atoms, units and sign of the
stress. ``python stand_in_vasp.py FAULT TAG`` does something wrong for as long as TAG is not in INCAR, and with a third
argument, a volume, whatever is in INCAR in cells of more cubic angstrom an atom, but for those around isolated atoms.
"""

import re
import sys
import time
from pathlib import Path

import numpy as np
from ase.io import read
from ase.units import GPa

from gapdesign.engines.eam import EamEngine, EamOptions

PARAMETERS = """\
  <i name="ENMAX">{ENCUT}</i><i name="EDIFF">{EDIFF}</i><i type="int" name="NELM">{NELM:.0f}</i>
  <i type="int" name="ISMEAR">{ISMEAR:.0f}</i><i name="SIGMA">{SIGMA}</i><i type="int" name="ISPIN">{ISPIN:.0f}</i>
  <i type="int" name="NSW">{NSW:.0f}</i><i type="int" name="ISIF">{ISIF:.0f}</i><i type="int" name="IBRION">-1</i>
"""

STRUCTURE = """\
<structure{name}><crystal><varray name="basis">{cell}</varray><i name="volume">{volume}</i>
<varray name="rec_basis">{reciprocal}</varray></crystal><varray name="positions">{positions}</varray></structure>
"""

STEP = """\
<scstep><energy><i name="e_fr_energy">{0:.8f}</i><i name="e_wo_entrp">{1:.8f}</i><i name="e_0_energy">{1:.8f}</i>
</energy></scstep>
"""


def rows(values):
    return "".join(f"<v>{' '.join(f'{value:.8f}' for value in row)}</v>\n" for row in np.atleast_2d(values))


def structure(atoms, name=""):
    return STRUCTURE.format(
        name=f' name="{name}"' if name else "",
        cell=rows(atoms.cell.array),
        volume=atoms.get_volume(),
        reciprocal=rows(np.linalg.inv(atoms.cell.array).T),
        positions=rows(atoms.get_scaled_positions(wrap=False)),
    )


def read_incar():
    """Tags of INCAR: numbers as such."""
    tags = dict(line.split(" = ") for line in Path("INCAR").read_text().splitlines())
    return {name: float(value) if re.fullmatch(r"-?[\d.]+(e-?\d+)?", value) else value for name, value in tags.items()}


def mesh(cell):
    _, _, style, numbers, *_ = Path("KPOINTS").read_text().splitlines()
    if style.startswith("A"):
        lengths = np.linalg.norm(np.linalg.inv(cell), axis=0)
        return [max(1, int(float(numbers) * length + 0.5)) for length in lengths]
    assert style.startswith("G")
    return [int(number) for number in numbers.split()]


def species():
    """Symbol, valence and title of every part of POTCAR."""
    for part in Path("POTCAR").read_text().split("End of Dataset")[:-1]:
        words = {line.split("=")[0].strip(): line.split("=")[1].strip() for line in part.splitlines() if "=" in line}
        yield words["VRHFIN"].split(":")[0], float(words["ZVAL"].split()[0]), words["TITEL"]


def answer(atoms, incar, fault):
    label = EamEngine(EamOptions(potential="CuZr_mm.eam.fs")).label(atoms)
    # The extrapolated energy is another number, so that a test sees which one is read.
    energy, extrapolated = label.energy, label.energy + 0.01
    count = int(incar["NELM"]) if fault == "electrons" else 4
    steps = [STEP.format(energy + 10.0 ** (-3 * n), extrapolated) for n in range(1, count)]
    last = STEP.format(energy if fault != "stopped" else energy + 0.1, extrapolated)
    stress = rows(label.virial / atoms.get_volume() / GPa * 10)
    return (
        f"<calculation>{''.join(steps)}{last}{structure(atoms)}"
        f'<varray name="forces">{rows(label.forces)}</varray>'
        + (f'<varray name="stress">{stress}</varray>' if fault != "no-stress" else "")
        # As VASP 5 does, which leaves e_0_energy empty here.
        + f'<energy><i name="e_fr_energy">{energy:.8f}</i><i name="e_wo_entrp">{energy:.8f}</i>'
        '<i name="e_0_energy">0.00000000</i></energy></calculation>'
    )


def write(fault):
    atoms, incar = read("POSCAR", format="vasp"), read_incar()
    potcars = list(species())
    symbols = list(dict.fromkeys(atoms.get_chemical_symbols()))
    assert [symbol for symbol, _, _ in potcars] == symbols
    assert np.linalg.det(atoms.cell.array) > 0, "ERROR: the triple product of the basis vectors is negative!"
    if fault == "moved":
        atoms.positions[0] += 0.01
    size = np.array(mesh(atoms.cell.array)) + (fault == "mesh")
    points = np.indices(size).reshape(3, -1).T / size
    used = {**incar, "ENCUT": incar["ENCUT"] - 100 * (fault == "cutoff"), "SIGMA": incar["SIGMA"] + (fault == "sigma")}
    titles = "".join(
        f"<rc><c>{atoms.get_chemical_symbols().count(symbol)}</c><c>{symbol}</c><c>1.0</c><c>{valence}</c><c>{title}</c></rc>"
        for symbol, valence, title in potcars
    )
    atoms_set = "".join(f"<rc><c>{s}</c><c>{symbols.index(s) + 1}</c></rc>" for s in atoms.get_chemical_symbols())
    xml = (
        '<?xml version="1.0" encoding="ISO-8859-1"?>\n<modeling>\n'
        '<generator><i type="string" name="program">stand-in</i>'
        '<i type="string" name="version">6.4.2 </i></generator>\n'
        f'<incar><i type="string" name="ALGO">{incar["ALGO"]}</i></incar>\n'
        f'<kpoints><varray name="kpointlist">{rows(points)}</varray>'
        f'<varray name="weights">{rows(np.full((len(points), 1), 1 / len(points)))}</varray></kpoints>\n'
        f"<parameters>{PARAMETERS.format(**used)}</parameters>\n"
        f'<atominfo><atoms>{len(atoms)}</atoms><types>{len(symbols)}</types><array name="atoms">'
        f'<field type="string">element</field><field type="int">atomtype</field><set>{atoms_set}</set></array>'
        f'<array name="atomtypes"><field type="int">atomspertype</field><set>{titles}</set></array></atominfo>\n'
        f"{structure(atoms, 'initialpos')}{answer(atoms, incar, fault)}{structure(atoms, 'finalpos')}</modeling>\n"
    )
    Path("vasprun.xml").write_text(xml[: len(xml) // 2] if fault == "cut-off" else xml)


def never(most=np.inf):
    atoms = read("POSCAR", format="vasp")
    return most < atoms.get_volume() / len(atoms) < 1000


def main():
    fault = ""
    if len(sys.argv) > 1:
        fault = sys.argv[1] if sys.argv[2] not in read_incar() or never(*map(float, sys.argv[3:])) else ""
    print("This is a stand-in for VASP.", flush=True)
    if fault == "crash":
        print("     Error EDDDAV: Call to ZHEGV failed. Returncode =  8  1  9")
        sys.exit(1)
    if fault == "hang":
        time.sleep(600)
    write(fault)


if __name__ == "__main__":
    main()
