"""The rules that every quiz keeps, whoever made it; each break of one is a finding with its place."""

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from workers.granulator.course.title_index import jaccard, title_words
from workers.granulator.language.words import words_of
from workers.granulator.quality.finding import Finding, Severity
from workers.granulator.quality.reference_rules import Identified, id_findings
from workers.granulator.quality.title_rules import Titled, near_duplicates, title_findings
from workers.granulator.quiz.structure import Category, Difficulty, Question, Quiz

FEWEST_OPTIONS, MOST_OPTIONS = 3, 6
FEWEST_QUESTIONS, MOST_QUESTIONS = 15, 50
# Shares are judged from so many questions on.
FEWEST_JUDGED = 15
DIFFICULTY_SHARES: dict[Difficulty, float] = {"easy": 0.40, "medium": 0.45, "hard": 0.15}
MOST_SHARE_OFF = 0.15
MOST_AT_ONE_PLACE = 0.5
# Options that share so many of their words read as the same answer.
SAME_OPTION = 0.99


class Asked(NamedTuple):
    """A question and its JSON pointer."""

    question: Question
    path: str


def check(quiz: Quiz) -> tuple[Finding, ...]:
    """What is wrong with a quiz, whole first and then question by question; empty where it keeps every rule."""
    asked = [
        Asked(question, f"/children/{row}/children/{column}")
        for row, category in enumerate(quiz.children)
        for column, question in enumerate(category.children)
    ]
    return (
        *_size(asked),
        *_mix(asked),
        *_categories(quiz.children),
        *id_findings(_identified(quiz)),
        *(finding for item in asked for finding in _question(item, sourced=quiz.sourced)),
        *_alike(asked),
    )


def _size(asked: list[Asked]) -> Iterator[Finding]:
    if not asked:
        yield _finding("empty_structure", "error", "", "The quiz has no question.")
    elif not FEWEST_QUESTIONS <= len(asked) <= MOST_QUESTIONS:
        message = f"The quiz has {len(asked)} questions; {FEWEST_QUESTIONS} to {MOST_QUESTIONS} are usual."
        yield _finding("unusual_size", "info", "", message)


def _mix(asked: list[Asked]) -> Iterator[Finding]:
    """How hard the questions are together, and where their answers stand."""
    choices = [item.question for item in asked if item.question.answer in item.question.options]
    if len(asked) >= FEWEST_JUDGED:
        times = Counter(item.question.difficulty for item in asked)
        for difficulty, wanted in DIFFICULTY_SHARES.items():
            share = times[difficulty] / len(asked)
            if abs(share - wanted) > MOST_SHARE_OFF:
                message = f"{share:.0%} of the questions are {difficulty} where {wanted:.0%} are wanted."
                yield _finding("difficulty_mix", "warning", "", message)
    if len(choices) >= FEWEST_JUDGED:
        place, most = Counter(item.options.index(item.answer) for item in choices).most_common(1)[0]
        if most > MOST_AT_ONE_PLACE * len(choices):
            message = f"Option {place + 1} is the right one in {most} of {len(choices)} questions."
            yield _finding("answers_at_one_place", "warning", "", message)


def _categories(categories: tuple[Category, ...]) -> Iterator[Finding]:
    yield from title_findings([Titled(category.title, f"/children/{row}") for row, category in enumerate(categories)])
    for row, category in enumerate(categories):
        if not category.children:
            message = f"The category “{category.title}” has no question."
            yield _finding("empty_category", "warning", f"/children/{row}", message)


def _identified(quiz: Quiz) -> Iterator[Identified]:
    for row, category in enumerate(quiz.children):
        yield Identified(category.id, f"/children/{row}")
        for column, question in enumerate(category.children):
            yield Identified(question.id, f"/children/{row}/children/{column}")


def _question(item: Asked, *, sourced: bool) -> Iterator[Finding]:
    question, path = item
    if not question.stem.strip():
        yield _finding("stem_missing", "error", f"{path}/stem", "The question asks nothing.")
    if not question.answer.strip():
        # A scaffold says that it is one, and its answers are for its user to write.
        severity: Severity = "error" if sourced else "warning"
        yield _finding("answer_missing", severity, f"{path}/answer", f"“{question.stem}” has no answer.")
    if question.form != "open" or question.options:
        yield from _options(question, f"{path}/options")
    if sourced and question.source is None:
        yield _finding("source_missing", "warning", f"{path}/source", "The question names no sentence of the source.")
    if sourced and not question.explanation.strip():
        yield _finding("explanation_missing", "warning", f"{path}/explanation", "The answer is not explained.")
    if question.form in ("cloze", "term") and _gives_away(question):
        message = f"The question itself names its answer, “{question.answer}”."
        yield _finding("answer_given_away", "warning", f"{path}/stem", message)


def _options(question: Question, path: str) -> Iterator[Finding]:
    options = [_plain(option) for option in question.options]
    right = options.count(_plain(question.answer))
    if not FEWEST_OPTIONS <= len(options) <= MOST_OPTIONS:
        message = f"There are {len(options)} options; {FEWEST_OPTIONS} to {MOST_OPTIONS} make a choice."
        yield _finding("option_count", "error" if len(options) < FEWEST_OPTIONS else "warning", path, message)
    if question.answer.strip() and right != 1:
        message = f"The answer “{question.answer}” stands among the options {right} times, and not once."
        yield _finding("answer_not_one_option", "error", path, message)
    for place, option in enumerate(question.options):
        earlier = next((other for other in question.options[:place] if _read_alike(option, other)), None)
        if not option.strip():
            yield _finding("option_empty", "error", f"{path}/{place}", "The option is empty.")
        elif earlier is not None and options[place] != _plain(question.answer):
            message = f"The options “{earlier}” and “{option}” cannot be told apart."
            yield _finding("options_alike", "error", f"{path}/{place}", message)
    if question.form == "cloze":
        yield from _true_here(question, path)


def _true_here(question: Question, path: str) -> Iterator[Finding]:
    """Wrong answers that the very sentence asked about names: a learner may well be right to choose one."""
    said = words_of(question.explanation)
    for place, option in enumerate(question.options):
        words = words_of(option)
        runs = (said[start : start + len(words)] for start in range(len(said)))
        if words and _plain(option) != _plain(question.answer) and words in runs:
            message = f"The wrong answer “{option}” stands in the sentence that is asked about."
            yield _finding("distractor_in_sentence", "warning", f"{path}/{place}", message)


def _alike(asked: list[Asked]) -> Iterator[Finding]:
    stems = [Titled(item.question.stem, item.path) for item in asked if item.question.stem.strip()]
    for item, earlier in near_duplicates(stems):
        message = f"“{item.title}” asks what {earlier.path} asks."
        yield _finding("questions_alike", "error", f"{item.path}/stem", message)


def _gives_away(question: Question) -> bool:
    answer = set(title_words(question.answer))
    return bool(answer) and answer <= title_words(question.stem)


def _read_alike(option: str, other: str) -> bool:
    return (
        _plain(option) == _plain(other)
        or jaccard(frozenset(words_of(option)), frozenset(words_of(other))) > SAME_OPTION
    )


def _plain(option: str) -> str:
    return " ".join(option.casefold().split()).rstrip(".")


def _finding(code: str, severity: Severity, path: str, message: str) -> Finding:
    return Finding(code=code, severity=severity, path=path, message=message)
