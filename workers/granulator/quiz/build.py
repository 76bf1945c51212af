"""The quiz of an outline: how many questions, in which categories, how hard each is, and where its answer stands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from zlib import crc32

from workers.granulator.course.arrangement import EmptyOutline
from workers.granulator.parts import Part, parts_of, title_of
from workers.granulator.quiz.questions import Candidate, Questioner
from workers.granulator.quiz.selection import select
from workers.granulator.quiz.structure import Category, Difficulty, Question, Quiz
from workers.granulator.source.facts import facts_of
from workers.granulator.source.lexicon import lexicon_of
from workers.granulator.source.outline import Outline
from workers.granulator.structure import Brief, Source

# A quiz on a long text has at least so many questions.
FEWEST_OF_LONG, LONG_WORDS_PER_QUESTION = 15, 45
# The shares of easy and of medium questions; the rest are hard.
EASY_SHARE, MEDIUM_SHARE = 0.40, 0.45
QUESTIONS_PER_CATEGORY = 3


@dataclass(frozen=True, slots=True)
class Size:
    """How large a quiz is at one level of granularity: words of text for a question, and the most of each."""

    words_per_question: int
    most_questions: int
    most_categories: int


SIZES: Mapping[int, Size] = {
    1: Size(160, 20, 5),
    2: Size(110, 30, 7),
    3: Size(80, 40, 10),
    4: Size(60, 45, 12),
    5: Size(45, 50, 16),
}


def build(outline: Outline, brief: Brief) -> Quiz:
    """Make the quiz of an outline; equal outlines and briefs give equal quizzes. Raises EmptyOutline."""
    facts = facts_of(outline)
    if not facts:
        raise EmptyOutline("The outline has no passage to ask about.")
    wanted, categories = _extent(outline, brief)
    title = title_of(outline, facts)
    parts = parts_of(outline, facts, least=1, most=categories, taken=(title,))
    questioner = Questioner(outline, facts, lexicon_of(outline, facts))
    chosen = select(outline, parts, facts, questioner, wanted)
    difficulties = difficulties_of(chosen)
    questions = {
        item.fact.number: question_of(item, difficulties[item.fact.number], place, outline)
        for place, item in enumerate(chosen)
    }
    return Quiz(
        title=title,
        description=_description(outline, brief, len(chosen)),
        children=tuple(
            _category(number, part, [questions[item.fact.number] for item in chosen if part.holds(item.fact)])
            for number, part in enumerate(parts, 1)
        ),
    )


def _extent(outline: Outline, brief: Brief) -> tuple[int, int]:
    """How many questions and categories a text of this length gets at most, both within the brief's elements."""
    size = SIZES[brief.granularity_level]
    long = min(FEWEST_OF_LONG, outline.word_count // LONG_WORDS_PER_QUESTION)
    wanted = max(1, long, outline.word_count // size.words_per_question, len(outline.sections))
    wanted = min(wanted, size.most_questions)
    categories = min(size.most_categories, max(1, brief.max_elements // (1 + QUESTIONS_PER_CATEGORY)))
    wanted = min(wanted, brief.max_elements - categories)
    return wanted, max(1, min(categories, wanted // 2))


def difficulties_of(chosen: Sequence[Candidate]) -> dict[int, Difficulty]:
    """By a question's sentence: the least demanding are easy, the most demanding hard, as far as the shares go."""
    ranked = sorted(chosen, key=lambda item: (item.demand, item.fact.number))
    easy = round(EASY_SHARE * len(ranked))
    hard = len(ranked) - round((EASY_SHARE + MEDIUM_SHARE) * len(ranked))
    levels: list[tuple[Difficulty, int]] = [("easy", easy), ("medium", len(ranked) - easy - hard), ("hard", hard)]
    dealt = (level for level, times in levels for _ in range(times))
    return {item.fact.number: level for item, level in zip(ranked, dealt, strict=True)}


def question_of(item: Candidate, difficulty: Difficulty, place: int, outline: Outline) -> Question:
    """The question in full; the answers of questions at different places stand at different options."""
    number = item.fact.number
    return Question(
        id=f"q{number}",
        title=item.stem,
        form=item.form,
        stem=item.stem,
        options=_options(item, place),
        answer=item.answer,
        explanation=item.fact.text,
        difficulty=difficulty,
        source=Source(section=outline.sections[item.fact.section].heading, sentences=(number, number)),
    )


def _options(item: Candidate, place: int) -> tuple[str, ...]:
    """The distractors with the answer among them: each of so many questions in turn has it elsewhere, in no pattern."""
    if not item.distractors:
        return ()
    options = sorted(item.distractors, key=lambda text: crc32(f"{item.stem}{text}".encode()))
    slots = len(options) + 1
    turn, step = divmod(place, slots)
    order = sorted(range(slots), key=lambda slot: crc32(f"{turn} {slot}".encode()))
    options.insert(order[step], item.answer)
    return tuple(options)


def _category(number: int, part: Part, questions: Sequence[Question]) -> Category:
    return Category(
        id=f"c{number}",
        title=part.title,
        source=Source(section=part.heading, sentences=part.sentences),
        children=tuple(questions),
    )


def _description(outline: Outline, brief: Brief, questions: int) -> str:
    """How much is asked of how long a text; an audience is named, for a text says nothing of who reads it."""
    asked = "1 question" if questions == 1 else f"{questions} questions"
    audience = f" For {brief.audience}." if brief.audience else ""
    return f"Asks {asked} on a text of {outline.word_count:,} words.{audience}"
