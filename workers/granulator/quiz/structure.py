"""A quiz: categories of questions, each with what is asked, the options, the one right answer and why it is right.

An open question has no options; every other has its answer among them, word for word.
"""

from typing import Any, Literal

from pydantic import model_validator

from workers.granulator.structure import Element, Structure

Difficulty = Literal["easy", "medium", "hard"]
Form = Literal["term", "cloze", "number", "consequence", "reason", "statement", "open"]


class Question(Element):
    """One question; `explanation` is the sentence of the source that settles it.

    `difficulty` compares the questions of one quiz with each other.
    """

    type: Literal["question"] = "question"
    id: str
    form: Form = "cloze"
    stem: str
    options: tuple[str, ...] = ()
    answer: str = ""
    explanation: str = ""
    difficulty: Difficulty = "medium"

    @model_validator(mode="before")
    @classmethod
    def _titled_by_its_stem(cls, given: Any) -> Any:
        """A question stands in a tree under what it asks, unless it is given a title."""
        if isinstance(given, dict) and not given.get("title"):
            return {**given, "title": given.get("stem", "")}
        return given


class Category(Element):
    """The questions on one part of the source."""

    type: Literal["category"] = "category"
    id: str
    children: tuple[Question, ...] = ()


class Quiz(Structure):
    """A whole quiz."""

    type: Literal["quiz"] = "quiz"
    children: tuple[Category, ...] = ()
