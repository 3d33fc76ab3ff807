"""What a user can cause and mend."""


class UserError(Exception):
    """Something that a user can cause and mend: printed as one line, without a traceback."""


class InputsChangedError(UserError):
    """What a stage reads was edited while it ran: another run of it mends that."""
