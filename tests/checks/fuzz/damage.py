"""Damage of any file, and what the message of an error must be."""

from random import Random


def naming(error: Exception, *names: object) -> str:
    """The message; it must name these, be of bounded length, and not come of memory that ran
    out."""
    message = str(error)
    assert all(str(name) in message for name in names), message
    assert "Memory" not in message and "allocate" not in message and len(message) < 5000, message[
        :500
    ]
    return message


def damage(rng: Random, content: bytes) -> bytes:
    """The same with bits flipped, bytes lost, bytes put in, a part doubled or blanked, or the end
    cut off.
    """
    content = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 5, 20))):
        here, there = sorted(rng.randrange(len(content) + 1) for _ in range(2))
        there = min(there, here + 200)
        way = rng.random()
        if way < 0.5 and here < len(content):
            content[here] ^= 1 << rng.randrange(8)
        elif way < 0.6:
            content[here:here] = rng.randbytes(rng.randrange(1, 9))
        elif way < 0.7:
            del content[here:there]
        elif way < 0.8:
            content[here:here] = content[here:there]
        elif way < 0.9:
            content[here:there] = bytes(there - here)
        else:
            del content[here:]
    return bytes(content)
