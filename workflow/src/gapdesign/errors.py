"""Exceptions whose messages users read."""


class InputError(ValueError):
    """The user's input cannot be used.

    The message is one sentence that names the key or file, what is wrong with it and how to
    correct it. The command line prints it without a traceback and exits with status 2.
    """


class ProgramError(RuntimeError):
    """An external program failed, or did not do what it was asked.

    The command line prints the message without a traceback and exits with status 1.
    """
