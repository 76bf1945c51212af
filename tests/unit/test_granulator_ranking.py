"""Central sentences, and where a text falls apart by its words."""

import numpy as np
import pytest

from workers.granulator.source.cohesion import Span, cut, gap_depths
from workers.granulator.source.ranking import WINDOW_SENTENCES, cosines, rank

SEA = ["tide", "moon", "sea", "water"]
BREAD = ["dough", "yeast", "oven", "flour"]


def test_the_sentence_that_shares_most_with_the_others_ranks_first() -> None:
    ranks = rank([["tide", "moon"], ["tide", "sea"], ["tide", "moon", "sea"], ["oven", "yeast"]])

    assert int(np.argmax(ranks)) == 2
    assert int(np.argmin(ranks)) == 3


def test_ranks_have_a_mean_of_one_in_every_window() -> None:
    ranks = rank([SEA[: 1 + place % 4] for place in range(WINDOW_SENTENCES + 10)])

    assert ranks[:WINDOW_SENTENCES].mean() == pytest.approx(1.0)
    assert ranks[WINDOW_SENTENCES:].mean() == pytest.approx(1.0)


def test_sentences_without_a_word_in_common_rank_alike() -> None:
    assert rank([["tide"], ["oven"], []]) == pytest.approx([1.0, 1.0, 1.0])


def test_no_sentences_have_no_ranks() -> None:
    assert rank([]).size == 0


def test_cosine_is_one_with_oneself_and_nothing_with_strangers_or_silence() -> None:
    assert cosines([["tide", "sea"], ["oven"], []]) == pytest.approx(np.diag([1.0, 1.0, 0.0]))


def test_the_deepest_gap_is_where_the_subject_changes() -> None:
    depths = gap_depths([SEA, SEA[::-1], SEA, BREAD, BREAD[::-1], BREAD])

    assert int(np.argmax(depths)) == 2


def test_a_run_is_cut_at_its_deepest_gaps_until_no_part_is_too_large() -> None:
    depths = np.array([0.1, 0.2, 0.9, 0.3, 0.1])

    assert cut([50] * 6, depths, least=100, most=160) == [Span(0, 3), Span(3, 6)]


def test_no_cut_leaves_a_part_under_the_least() -> None:
    assert cut([90, 20, 90], np.array([0.9, 0.1]), least=100, most=120) == [Span(0, 3)]


def test_between_gaps_of_one_depth_the_more_central_is_cut() -> None:
    assert cut([10] * 4, np.zeros(3), least=10, most=30) == [Span(0, 2), Span(2, 4)]


def test_parts_hold_every_unit_once_and_in_order() -> None:
    sizes = [17, 3, 90, 41, 8, 8, 60, 25, 33]

    spans = cut(sizes, np.linspace(0.0, 1.0, 8), least=20, most=70)

    assert [unit for span in spans for unit in range(span.start, span.end)] == list(range(9))
