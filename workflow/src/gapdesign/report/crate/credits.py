"""What the user says of a crate: its licence, its date and its authors."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from gapdesign.errors import InputError

SPDX = "https://spdx.org/licenses/"
"""Where the licences with SPDX identifiers are."""


@dataclass(frozen=True)
class Author:
    """Somebody who made the study.

    Attributes
    ----------
    name : str
        As it is to be cited.
    orcid : str, optional
        Four groups of four digits.
    """

    name: str
    orcid: str | None = None


def licence_of(given: str) -> str:
    """Return the address of a licence.

    Parameters
    ----------
    given : str
        An SPDX identifier, such as CC-BY-4.0, or an address.

    Raises
    ------
    InputError
        If it is neither.
    """
    from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

    if re.fullmatch(r"https?://[^\s/]+\.[^\s]+", given):
        return given
    try:
        name = canonicalize_license_expression(given)
    except InvalidLicenseExpression:
        name = ""
    if not name or set(name) & set(" (+") or name.startswith("LicenseRef-"):
        raise InputError(
            f"--license {given}: this is no licence; give one SPDX identifier, such as CC-BY-4.0 or CC0-1.0"
            " (https://spdx.org/licenses), or the address of a licence."
        )
    return SPDX + name


def date_of(given: str) -> str:
    """Return a date as YYYY-MM-DD.

    Raises
    ------
    InputError
        If it is none.
    """
    try:
        return date.fromisoformat(given).isoformat()
    except ValueError:
        raise InputError(f"--date {given}: there is no such day; write it as 2026-11-28.") from None


def orcid_of(given: str) -> str:
    """Return an ORCID iD as four groups of digits; the last digit is a checksum (ISO 7064, mod 11-2).

    Raises
    ------
    InputError
        If it is none.
    """
    digits = given.removeprefix("https://orcid.org/")
    total = 0
    if re.fullmatch(r"(\d{4}-){3}\d{3}[\dX]", digits):
        for digit in digits.replace("-", ""):
            total = 2 * total + ("0123456789X".index(digit))
    if total % 11 != 1:
        raise InputError(f"--orcid {given}: this is no ORCID iD; it looks like 0000-0002-1825-0097.")
    return digits
