"""Exceptions whose messages users read."""

import unicodedata


class Told:
    """An exception whose message may quote a file, and shows it harmlessly."""

    def __str__(self) -> str:
        return printable(super().__str__())


class InputError(Told, ValueError):
    """The user's input cannot be used.

    The message is one sentence that names the key or file, what is wrong with it and how to
    correct it. The command line prints it without a traceback and exits with status 2.
    """


class ProgramError(Told, RuntimeError):
    """An external program failed, or did not do what it was asked.

    The command line prints the message without a traceback and exits with status 1.
    """


def printable(text: str) -> str:
    """Return a text with control characters written out, since terminals and tables obey them."""
    return "".join(
        letter if letter in "\n\t" or unicodedata.category(letter)[0] != "C" else ascii(letter)[1:-1] for letter in text
    )
