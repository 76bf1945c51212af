"""A quiz from a topic alone: open questions without answers, labelled as such, that claim no knowledge of the topic."""

from workers.granulator.course.titles import sentence_case
from workers.granulator.quiz.structure import Category, Difficulty, Question, Quiz
from workers.granulator.structure import NOTICE, Brief
from workers.granulator.topic import Topic, usable_topic

# What {} asks is the topic's to answer; each category asks from the plain to the demanding.
_SCAFFOLD: dict[str, tuple[tuple[Difficulty, str], ...]] = {
    "Terms of {}": (
        ("easy", "Which terms does someone who speaks of {} need?"),
        ("easy", "How is the first of these terms of {} defined?"),
        ("medium", "Which two terms of {} are often mistaken for each other, and how do they differ?"),
    ),
    "Facts about {}": (
        ("easy", "Which parts make up {}?"),
        ("medium", "Which figures or dates of {} must be known by heart?"),
        ("medium", "Which order or sequence matters in {}?"),
    ),
    "Reasons in {}": (
        ("medium", "Why is {} as it is?"),
        ("medium", "What follows when something in {} changes?"),
        ("hard", "Which common belief about {} is wrong, and why?"),
    ),
}


def skeleton(topic: str, brief: Brief) -> Quiz:
    """The scaffold for a topic, as much of it as the brief allows; raises UnusableTopic as `usable_topic` does."""
    given = usable_topic(topic)
    room = brief.max_elements - len(_SCAFFOLD)
    shares = [room // len(_SCAFFOLD) + (place < room % len(_SCAFFOLD)) for place in range(len(_SCAFFOLD))]
    return Quiz(
        title=sentence_case(given.text),
        description="A scaffold of questions without answers; give a source text to have it filled.",
        sourced=False,
        notice=NOTICE,
        children=tuple(
            _category(number, title, stems[:share], given)
            for number, ((title, stems), share) in enumerate(zip(_SCAFFOLD.items(), shares, strict=True), 1)
        ),
    )


def _category(number: int, title: str, stems: tuple[tuple[Difficulty, str], ...], topic: Topic) -> Category:
    return Category(
        id=f"c{number}",
        title=sentence_case(title.format(topic.named)),
        children=tuple(
            Question(
                id=f"c{number}q{place}",
                title=stem.format(topic.named),
                form="open",
                stem=stem.format(topic.named),
                difficulty=difficulty,
            )
            for place, (difficulty, stem) in enumerate(stems, 1)
        ),
    )
