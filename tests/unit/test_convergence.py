"""Convergence of VASP and pw.x, judged by the last ionic step and by numbers, not by a phrase."""

import re

import pytest

from gapdesign.engines.shared.convergence import refuse_electrons, refuse_outcar, refuse_pw

REACHED = "------------------------ aborting loop because EDIFF is reached ----------------------------------------"
NOT_REACHED = "------------------------ aborting loop EDIFF was not reached (unconverged)  ----------------------------"


def outcar(*loops, nelm=60, nsw=0, ibrion=-1, messages=None, rest=False, ended=True):
    """OUTCAR of ionic steps, each given by the energy changes of its electronic steps."""
    lines = [
        f"   NELM   =    {nelm:3d};   NELMIN=  2; NELMDL= -5     # of ELM steps",
        "   EDIFF  = 0.1E-05   stopping-criterion for ELM",
        "   EDIFFG = 0.1E-02   stopping-criterion for IOM",
        f"   NSW    =    {nsw:3d}    number of steps for IOM",
        f"   IBRION =    {ibrion:3d}    ionic relax: 0-MD 1-quasi-New 2-CG",
    ]
    for ionic, changes in enumerate(loops, start=1):
        for step, change in enumerate(changes, start=1):
            lines.append(f"----------------------------------------- Iteration {ionic:4d}({step:4d})  ----------------")
            lines.append(f" total energy-change (2. order) :{change:14.7E}  (-0.1E-07)")
        lines.append((messages or [REACHED] * len(loops))[ionic - 1])
    lines += [" reached required accuracy - stopping structural energy minimisation"] if rest else []
    return lines + ([" General timing and accounting informations for this job:"] if ended else [])


GOOD, POOR = (1e3, -1e-2, 5e-7), (1e3, -1e-2, 5e-2)


@pytest.mark.parametrize(
    "lines",
    [
        outcar(GOOD),
        outcar(POOR, GOOD, nsw=9, ibrion=2, rest=True),
        outcar(GOOD, GOOD, nsw=2, ibrion=0),
        outcar(GOOD, nsw=1, ibrion=2),
        outcar(GOOD, GOOD, nsw=2, ibrion=2, rest=True),
    ],
)
def test_an_outcar_whose_last_loop_converged_gives_a_label(lines):
    assert refuse_outcar(lines) is None


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        # VASP 5 says at NELM, too, that EDIFF is reached.
        (outcar(GOOD, nelm=3), r"The electrons did not converge in 3 steps \(NELM\)\."),
        (outcar(POOR, nelm=3), r"The electrons did not converge in 3 steps \(NELM\)\."),
        (outcar(GOOD, (1e3,) * 4, nelm=4, nsw=9, ibrion=2, rest=True), r"did not converge in 4 steps \(NELM\)"),
        (outcar(GOOD, POOR, nsw=9, ibrion=2, rest=True), "changed the energy by 0.05 eV; it was stopped early"),
        (outcar(POOR), "changed the energy by 0.05 eV"),
        (outcar(GOOD, messages=[NOT_REACHED]), r"ends with “aborting loop EDIFF was not reached \(unconverged\)”"),
        (outcar(GOOD, GOOD, messages=[REACHED, NOT_REACHED]), "EDIFF was not reached"),
        (outcar(GOOD, messages=["--- aborting loop because hard stop was set ---"]), "hard stop was set"),
        (outcar(GOOD, messages=[""]), "Its last loop has no end"),
        (outcar(GOOD, GOOD, nsw=2, ibrion=2), r"The atoms did not come to rest in 2 steps \(NSW\)"),
        (outcar(GOOD, ended=False), "It does not say “General timing and accounting”"),
        (outcar(), "It holds no electronic step"),
        (outcar(GOOD)[1:], "It does not say what NELM was"),
    ],
)
def test_an_outcar_whose_last_loop_did_not_converge_gives_none(lines, reason):
    assert re.search(reason, refuse_outcar(lines))


def test_a_change_that_is_not_a_number_is_no_convergence():
    assert "by nan eV" in refuse_electrons(3, float("nan"), limit=60, tolerance=1e-6)
    assert "the only one" in refuse_electrons(1, None, limit=60, tolerance=1e-6)


def test_the_last_step_of_pw_x_decides():
    first = ["     Self-consistent Calculation", "     convergence has been achieved in   5 iterations"]
    assert refuse_pw([*first, "   JOB DONE."]) is None
    assert refuse_pw([*first, *first, "   JOB DONE."]) is None
    assert refuse_pw([*first, first[0], "   JOB DONE."]) == (
        "It does not say “convergence has been achieved” of its last step."
    )
    assert refuse_pw(first) == "It does not say “JOB DONE”."
    assert refuse_pw([*first, "     convergence NOT achieved after 2 iterations", "JOB DONE."]) == (
        "It says “convergence NOT achieved”."
    )
