"""The plan of a novel from a topic alone: three acts of chapters that any story has, every scene still open."""

from typing import Final

from workers.granulator.course.titles import sentence_case
from workers.granulator.novel.drama import OPEN_CONFLICT, OPEN_GOAL, OPEN_OUTCOME
from workers.granulator.novel.structure import Act, Chapter, Character, Novel, Presence, Role, Scene
from workers.granulator.structure import NOTICE, Brief
from workers.granulator.topic import usable_topic

# Six, twelve and six chapters: what each is for.
_CHAPTERS: Final[dict[str, tuple[str, ...]]] = {
    "Act 1: {} begins": (
        "An ordinary day",
        "What is missing",
        "The disturbance",
        "Reasons to stay out of it",
        "The first loss",
        "The decision",
    ),
    "Act 2: {} grows difficult": (
        "Strange ground",
        "An ally",
        "The opponent shows themselves",
        "A small victory",
        "The price of winning",
        "Half the truth",
        "Everything changes sides",
        "The plan fails",
        "A quarrel among friends",
        "The opponent comes closer",
        "Alone",
        "A new way",
    ),
    "Act 3: {} is settled": (
        "Gathering strength",
        "The door closes behind them",
        "The last confrontation",
        "The sacrifice",
        "What was won",
        "The next morning",
    ),
}
_CAST: Final = ("the protagonist", "the opponent", "the ally")
_CHAPTERS_AT_LEVEL: Final = {1: 6, 2: 12, 3: 24, 4: 24, 5: 24}


def skeleton(topic: str, brief: Brief) -> Novel:
    """The scaffold for a topic, cut to what the brief allows; raises UnusableTopic as `usable_topic` does."""
    given = usable_topic(topic)
    wanted = min(_CHAPTERS_AT_LEVEL[brief.granularity_level], (brief.max_elements - len(_CHAPTERS)) // 2)
    whole = sum(len(chapters) for chapters in _CHAPTERS.values())
    acts = tuple(
        _act(str(number), sentence_case(title.format(given.named)), _spread(chapters, len(chapters) * wanted // whole))
        for number, (title, chapters) in enumerate(_CHAPTERS.items(), 1)
    )
    return Novel(
        title=sentence_case(given.text),
        description="A scaffold without content; give notes or a story as the source to have it filled.",
        sourced=False,
        notice=NOTICE,
        premise=f"A story about {given.named}: who wants what, and what stands in the way, is still open.",
        characters=tuple(Character(name=name, role=_role(name), introduced="1.1.1") for name in _CAST),
        children=acts,
    )


def _role(name: str) -> Role:
    return "protagonist" if name == _CAST[0] else "main"


def _spread(chapters: tuple[str, ...], wanted: int) -> tuple[str, ...]:
    """So many of the chapters, the first and then evenly through to the last; at least one."""
    count = max(1, min(wanted, len(chapters)))
    return tuple(chapters[place * len(chapters) // count] for place in range(count))


def _act(code: str, title: str, chapters: tuple[str, ...]) -> Act:
    return Act(
        code=code,
        title=title,
        children=tuple(_chapter(f"{code}.{number}", name) for number, name in enumerate(chapters, 1)),
    )


def _chapter(code: str, title: str) -> Chapter:
    scene = Scene(
        code=f"{code}.1",
        title=f"Scene {code}.1, still open",
        goal=OPEN_GOAL,
        conflict=OPEN_CONFLICT,
        outcome=OPEN_OUTCOME,
        open=("goal", "conflict", "outcome"),
        characters=tuple(Presence(name=name) for name in _CAST),
    )
    return Chapter(code=code, title=title, children=(scene,))
