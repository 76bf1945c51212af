"""Which template a request means by a name: the very one, else one of the type it says, else the likest by its words.

A name without a word in it means none, and what every name could hold makes nothing alike: `_`, `v1`, `structure`.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final, Literal

from workers.granulator.granulations.templates import Template

MatchedBy = Literal["name", "structureType", "words"]

_SEPARATORS: Final = re.compile(r"[^a-z0-9]+")
_SAYS_NOTHING: Final = re.compile(r"v?\d+|structures?|templates?")


class UnknownTemplate(ValueError):
    """No template is meant by this name; the message names the nearest, or where the names are to be had."""


@dataclass(frozen=True, slots=True)
class Match:
    """The template, and what led to it."""

    template: Template
    by: MatchedBy


def match(templates: Collection[Template], name: str, structure_type: str | None) -> Match:
    """The template meant by a name and, where the request says one, a type; raises UnknownTemplate.

    Of several that fit alike the most used is taken, and of those the first by name.
    """
    ranked = sorted(templates, key=lambda template: (-template.usage_count, template.template_name))
    wanted = name.strip().lower()
    for template in ranked:
        if template.template_name.lower() == wanted:
            return Match(template, "name")
    # A type may be said in the place of a name: `course` means some course.
    if of_type := [template for template in ranked if template.structure_type == (structure_type or wanted)]:
        return Match(of_type[0], "structureType")
    if likest := _likest(ranked, wanted):
        return Match(likest, "words")
    raise UnknownTemplate(_unknown(ranked, name, wanted))


def _likest(ranked: Sequence[Template], wanted: str) -> Template | None:
    """The template that shares most words with the name, versions and the like only deciding; words count whole."""
    asked = _words(wanted)
    scored = [(template, _words(template.template_name.lower())) for template in ranked]
    alike = [(template, len(_named(asked & own)), len(asked & own)) for template, own in scored if _named(asked & own)]
    return max(alike, key=lambda item: item[1:])[0] if alike else None


def _words(name: str) -> frozenset[str]:
    return frozenset(word for word in _SEPARATORS.split(name) if word)


def _named(words: frozenset[str]) -> frozenset[str]:
    return frozenset(word for word in words if not _SAYS_NOTHING.fullmatch(word))


def _unknown(ranked: Sequence[Template], name: str, wanted: str) -> str:
    near = get_close_matches(wanted, [template.template_name for template in ranked], n=1)
    hint = f"did you mean “{near[0]}”?" if near else "GET /api/templates lists those there are."
    return f"There is no template “{name[:60]}”; {hint}"
