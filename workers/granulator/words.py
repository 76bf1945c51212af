"""Words as terms are compared: without case, possessive and plural."""

from workers.granulator.english import fold
from workers.granulator.tokens import tokenize

Words = tuple[str, ...]


def words_of(text: str) -> Words:
    """The folded words and numbers of a text, in order."""
    return tuple(fold(token.lower) for token in tokenize(text) if token.text[0].isalnum())
