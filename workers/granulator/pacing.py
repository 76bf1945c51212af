"""How long a learner needs, in whole minutes: reading at a measured pace, and an exercise for each objective."""

from math import ceil

# Silent reading of English non-fiction by adults: the mean of 190 studies (Brysbaert, "How many words do we read per
# minute?", Journal of Memory and Language 109, 2019).
READING_WORDS_PER_MINUTE = 238
# A short exercise on one objective. A judgement, not a measurement.
EXERCISE_MINUTES = 3
# A question with a choice of answers; the usual allowance in tests of this kind, and a judgement too.
ANSWER_MINUTES = 1


def reading_minutes(words: int) -> int:
    """Minutes to read so many words once, rounded up."""
    return ceil(words / READING_WORDS_PER_MINUTE)


def study_minutes(words: int, objectives: int) -> int:
    """Minutes to read a passage and to practise its objectives; at least one."""
    return max(1, reading_minutes(words) + EXERCISE_MINUTES * objectives)
