"""The one exception that a user is meant to read."""


class InputError(ValueError):
    """What the user gave cannot be used.

    The message is one sentence that names the key or file, what is wrong with it and what would be
    right. The command line prints it without a traceback and exits with status 2.
    """
