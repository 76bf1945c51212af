"""Independent streams of chance from one seed: what one part draws does not shift what another gets."""

import hashlib
import random


def stream(seed: int, *names: object) -> random.Random:
    """The generator that belongs to these names under this seed."""
    text = "/".join(str(part) for part in (seed, *names))
    return random.Random(hashlib.sha256(text.encode()).digest())
