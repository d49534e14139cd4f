"""The exceptions that a user is meant to read."""


class InputError(ValueError):
    """What the user gave cannot be used.

    The message is one sentence that names the key or file, what is wrong with it and what would be
    right. The command line prints it without a traceback and exits with status 2.
    """


class ProgramError(RuntimeError):
    """A program that was called failed, or did not do what it was asked.

    The command line prints the message without a traceback and exits with status 1.
    """
