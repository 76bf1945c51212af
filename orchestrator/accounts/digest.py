"""The one form in which keys, tokens and the workers' secret are kept.

They are long and random, so a fast hash is enough, and a look-up by it tells nothing through its timing. Passwords
are neither: see `passwords`.
"""

from hashlib import sha256


def digest(secret: str) -> bytes:
    """The SHA-256 of the text's UTF-8: 32 bytes, for any text at all."""
    # Bytes of a header that are not UTF-8 arrive as lone surrogates; such a key is unknown, not an error.
    return sha256(secret.encode("utf-8", "surrogatepass")).digest()
