"""The two errors a person meets: what is wrong, where, and what to do, in one line."""


class UserError(Exception):
    """The request cannot be carried out as asked; nothing was written; the command exits with 2."""


class SequenceError(Exception):
    """One video or sequence cannot be made; the others go on; the command exits with 1."""
