"""What a policy raises, and how an exception is told to the operator."""


class PolicyError(Exception):
    """Nothing can be decided, or the settings are unusable: one line for the operator.

    It counts as a failure of the policy. For a problem that is somebody else's, answer
    ``Remedy.decline()``.
    """


def one_line(error: BaseException, folder: str = "") -> str:
    """What the operator reads: type and text, and the last line in ``folder`` that led to it.

    A policy's own word, a :class:`PolicyError`, stands alone.
    """
    text = " ".join(str(error).splitlines())
    if isinstance(error, PolicyError):
        return text
    said = type(error).__name__ + (f": {text}" if text else "")
    place, at = "", error.__traceback__
    while at is not None:
        file = at.tb_frame.f_code.co_filename
        if file.startswith(folder):
            place = f" (line {at.tb_lineno} of {file.rsplit('/', 1)[-1]})"
        at = at.tb_next
    return said + place
