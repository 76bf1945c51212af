"""Words as terms are compared: without case, possessive and plural."""

from typing import TypeAlias

from workers.granulator.language.english import fold
from workers.granulator.language.tokens import tokenize

Words: TypeAlias = tuple[str, ...]


def words_of(text: str) -> Words:
    """The folded words and numbers of a text, in order."""
    return tuple(fold(token.lower) for token in tokenize(text) if token.text[0].isalnum())
