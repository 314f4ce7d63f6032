"""What the tests of error messages share: that a message is one sentence of our own."""

import re


def one_sentence(error):
    """The message, if it is one: a line that says something and is not NumPy's alone."""
    message = str(error)
    assert "\n" not in message and 24 < len(message) < 500, message
    assert len(re.findall(r"[a-zA-Z]{2,}", message)) >= 5, message
    for foreign in ("Traceback", "object at 0x", "<class", "<function"):
        assert foreign not in message, message
    return message
