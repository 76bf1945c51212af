"""A topic that a skeleton can be made of: one line with a word in it, short enough to stand in titles."""

from dataclasses import dataclass

from workers.granulator.course.title_index import title_words

LONGEST_TOPIC = 200
# Beyond this a topic no longer fits into every title.
LONGEST_NAMED_TOPIC_WORDS = 4


class UnusableTopic(ValueError):
    """The topic cannot head a structure; the message says why in one sentence."""


@dataclass(frozen=True, slots=True)
class Topic:
    """The topic as it is written, and as it is named inside other titles."""

    text: str
    named: str


def usable_topic(topic: str) -> Topic:
    """The topic on one line; raises UnusableTopic for one that is empty, without a word, or too long for a title."""
    text = " ".join(topic.split())
    if not any(character.isalpha() for character in text):
        raise UnusableTopic("The topic is empty or has no word in it.")
    if len(text) > LONGEST_TOPIC:
        raise UnusableTopic(
            f"The topic has {len(text)} characters, and at most {LONGEST_TOPIC} fit a title; send it as a text."
        )
    return Topic(text, text if len(title_words(text)) <= LONGEST_NAMED_TOPIC_WORDS else "the topic")
