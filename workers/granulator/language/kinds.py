"""Kinds of one thing that sentences are about, side by side: "A diurnal tide ...", "A mixed tide ..."."""

from collections import defaultdict
from collections.abc import Collection, Iterable

from workers.granulator.language.clauses import subject_of
from workers.granulator.language.english import Tag, fold
from workers.granulator.language.readings import ReadSentence
from workers.granulator.language.tagging import tagged

# An article, one adjective and a noun: "a mixed tide", not "a tide table".
_KIND = (Tag.DETERMINER, Tag.ADJECTIVE, Tag.NOUN)


def kinds_of_one_thing(sentences: Iterable[ReadSentence], names: Collection[str]) -> list[dict[str, float]]:
    """The subjects, each with its article and its first sentence's weight, in groups that share their noun."""
    kinds: dict[str, dict[str, float]] = defaultdict(dict)
    for sentence in sentences:
        subject = subject_of(sentence.text, names) if sentence.text.startswith(("A ", "An ")) else None
        if subject and tagged(subject).tags == _KIND:
            kinds[fold(subject.split()[-1])].setdefault(subject, sentence.weight)
    return [subjects for subjects in kinds.values() if len(subjects) > 1]
