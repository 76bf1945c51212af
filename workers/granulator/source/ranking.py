"""How central each sentence is to its section: LexRank over a cosine matrix, solved by power iteration.

Centrality of a sentence depends on its section alone and sums to 1 within a window of the section.
"""

from collections import Counter
from collections.abc import Sequence
from math import log

import numpy as np
from numpy.typing import NDArray

# A window bounds the matrix, whatever the length of the section.
WINDOW_SENTENCES = 128
# Page and others (1999) and Erkan and Radev's LexRank (2004) both use 0.85.
DAMPING = 0.85
TOLERANCE = 1e-8
MOST_ITERATIONS = 200


def rank(sentences: Sequence[Sequence[str]]) -> NDArray[np.float64]:
    """The centrality of each sentence, given its content words; a sentence without any gets the least.

    Each window's ranks are scaled to a mean of 1, so that sentences of different windows compare.
    """
    windows = [
        _rank_window(sentences[start : start + WINDOW_SENTENCES])
        for start in range(0, len(sentences), WINDOW_SENTENCES)
    ]
    return np.concatenate(windows) if windows else np.zeros(0)


def cosines(bags: Sequence[Sequence[str]]) -> NDArray[np.float64]:
    """The cosine of every two bags of words in a square matrix, tf-idf weighted; empty bags are like nothing.

    A word of one bag alone has no column: it lengthens its bag's vector and else touches nothing.
    """
    counts = [Counter(bag) for bag in bags]
    spread = Counter(word for count in counts for word in count)
    rarity = {word: log(1 + len(bags) / bags_with) for word, bags_with in spread.items()}
    columns = {word: column for column, word in enumerate(word for word in spread if spread[word] > 1)}
    vectors = np.zeros((len(bags), len(columns)))
    squares = np.zeros((len(bags), 1))
    for row, count in enumerate(counts):
        for word, times in count.items():
            weight = times * rarity[word]
            squares[row] += weight * weight
            if word in columns:
                vectors[row, columns[word]] = weight
    vectors /= np.where(squares > 0, np.sqrt(squares), 1)
    similarity = np.asarray(vectors @ vectors.T)
    np.fill_diagonal(similarity, np.where(squares[:, 0] > 0, 1.0, 0.0))
    return similarity


def _rank_window(sentences: Sequence[Sequence[str]]) -> NDArray[np.float64]:
    similarity = cosines(sentences)
    np.fill_diagonal(similarity, 0)
    size = len(sentences)
    degrees = similarity.sum(axis=1, keepdims=True)
    walk = np.where(degrees > 0, similarity / np.where(degrees > 0, degrees, 1), 1 / size)
    ranks = np.full(size, 1 / size)
    for _ in range(MOST_ITERATIONS):
        following = (1 - DAMPING) / size + DAMPING * (ranks @ walk)
        moved = float(np.abs(following - ranks).sum())
        ranks = following
        if moved < TOLERANCE:
            break
    return ranks * size
