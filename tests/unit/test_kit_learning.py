"""What is learned of estimates: on any steady load they come true, whatever the author had thought."""

import math
import random
from decimal import Decimal
from pathlib import Path
from statistics import median

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.packets import Metrics
from workers.kit import Estimate
from workers.kit.learning import MOST_TOPICS, WINDOW, Amounts, Lessons, expected, learned, taken
from workers.kit.lesson_file import LessonFile

MODEL = Estimate(ms=1000, tokens=2000, cost_usd=Decimal("0.5"), memory_mb=64, key="openai/small")
AS_SAID = Amounts(ms=1000, tokens=2000, cost_usd=0.5)

wrong_by = st.floats(math.log(0.01), math.log(100)).map(math.exp)
"""How many times as long as estimated the attempts really take."""
noise = st.floats(0, 0.3)
seeds = st.integers(0, 2**32)


def after(lessons: Lessons, *actuals: Amounts, estimate: Estimate = MODEL) -> Lessons:
    for actual in actuals:
        lessons = learned(lessons, "write", estimate, actual)
    return lessons


def ratios(factors: list[float], sizes: list[float]) -> list[float]:
    """Actual to estimated milliseconds of attempts of these sizes, each of which takes its factor times its size."""
    lessons: Lessons = {}
    found = []
    for factor, size in zip(factors, sizes, strict=True):
        estimate = Estimate(ms=size)
        said = expected(lessons, "write", estimate).ms
        assert said is not None
        found.append(factor * size / said)
        lessons = learned(lessons, "write", estimate, Amounts(ms=factor * size))
    return found


@settings(derandomize=True)
@given(wrong_by, noise, seeds)
def test_on_a_steady_load_the_median_ratio_is_near_one_after_thirty_stages(
    factor: float, sigma: float, seed: int
) -> None:
    chance = random.Random(seed)
    factors = [factor * chance.lognormvariate(0, sigma) for _ in range(60)]
    sizes = [chance.uniform(10, 10_000) for _ in range(60)]

    assert 0.8 <= median(ratios(factors, sizes)[30:]) <= 1.25


@settings(derandomize=True)
@given(wrong_by, wrong_by, noise, seeds)
def test_a_lasting_change_is_followed(before: float, afterwards: float, sigma: float, seed: int) -> None:
    chance = random.Random(seed)
    factors = [factor * chance.lognormvariate(0, sigma) for factor in [before] * 40 + [afterwards] * 60]

    assert 0.8 <= median(ratios(factors, [100.0] * 100)[70:]) <= 1.25


@given(wrong_by, st.floats(0, 1e6), st.integers(2, 30))
def test_a_single_outlier_moves_nothing(factor: float, outlier: float, place: int) -> None:
    factors = [factor] * 40
    factors[place] = outlier

    found = ratios(factors, [100.0] * 40)

    assert [ratio for stage, ratio in enumerate(found) if stage >= 4 and stage != place] == pytest.approx(
        [1.0] * (36 - (place >= 4))
    )


def test_before_anything_was_measured_the_authors_estimate_stands() -> None:
    assert expected({}, "write", MODEL) == AS_SAID
    assert expected({}, "write", Estimate()) == Amounts()


def test_the_authors_word_counts_as_one_measurement() -> None:
    once = after({}, Amounts(ms=3000))
    twice = after(once, Amounts(ms=3000))

    assert [expected(lessons, "write", MODEL).ms for lessons in (once, twice)] == [2000, 3000]


def test_time_tokens_and_money_are_learned_apart() -> None:
    lessons = after({}, *[Amounts(ms=500, tokens=6000)] * 3)

    assert expected(lessons, "write", MODEL) == Amounts(ms=500, tokens=6000, cost_usd=0.5)


def test_each_action_and_each_key_learns_for_itself() -> None:
    lessons = after({}, *[Amounts(ms=500)] * 3)

    other_model = Estimate(ms=1000, key="openai/large")
    assert expected(lessons, "write", other_model) == Amounts(ms=1000)
    assert expected(lessons, "read", MODEL) == AS_SAID


@pytest.mark.parametrize("said", [None, 0])
def test_where_nobody_estimates_the_median_of_what_was_taken_is_expected(said: int | None) -> None:
    silent = Estimate(ms=said, tokens=said, cost_usd=said)
    actuals = [Amounts(ms, 10 * ms, ms / 100) for ms in (40, 60, 50)]

    lessons = after({}, *actuals, estimate=silent)

    assert expected(lessons, "write", silent) == Amounts(ms=50, tokens=500, cost_usd=0.5)


def test_what_took_nothing_makes_an_estimate_small_but_can_be_unlearned() -> None:
    nothing = after({}, *[Amounts(ms=0, tokens=0, cost_usd=0.0)] * WINDOW)
    something = after(nothing, *[Amounts(ms=1000, tokens=2000, cost_usd=0.5)] * WINDOW)

    assert expected(nothing, "write", MODEL) == pytest.approx((0.1, 0.2, 0.00005))
    assert expected(something, "write", MODEL) == AS_SAID


def test_what_was_not_measured_teaches_nothing() -> None:
    assert after({}, Amounts()) == {}


def test_what_an_attempt_took_is_its_time_and_what_it_reported() -> None:
    assert taken(12.5, Metrics(tokens_used=7, cost_usd=Decimal("0.25"))) == Amounts(12.5, 7, 0.25)
    assert taken(12.5, Metrics()) == Amounts(ms=12.5)


def test_only_the_topics_heard_of_last_are_remembered_and_of_each_only_the_last_measurements() -> None:
    lessons: Lessons = {}
    for number in range(MOST_TOPICS + 5):
        lessons = learned(lessons, "write", Estimate(key=str(number)), Amounts(ms=number))
        lessons = learned(lessons, "write", Estimate(key="often"), Amounts(ms=number))

    assert len(lessons) == MOST_TOPICS
    assert lessons["write", "often"] == {("ms", False): tuple(range(MOST_TOPICS + 5))[-WINDOW:]}
    assert ("write", "0") not in lessons


def test_lessons_outlive_the_process(tmp_path: Path) -> None:
    file = LessonFile(tmp_path / "lessons.json")
    lessons = after({}, Amounts(ms=3000, tokens=5, cost_usd=0.1), Amounts(ms=1))

    file.write(lessons)

    assert LessonFile(tmp_path / "lessons.json").load() == lessons
    assert [(path.name, path.stat().st_mode & 0o777) for path in tmp_path.iterdir()] == [("lessons.json", 0o600)]


def test_without_a_file_nothing_was_learned(tmp_path: Path) -> None:
    assert LessonFile(tmp_path / "lessons.json").load() == {}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'{"topics": [{"action": "a"',
        b'{"topics": [{"action": "a", "key": "", "amount": "ms", "isRelative": true, "measured": []}]}',
        b'{"topics": [{"action": "a", "key": "", "amount": "ms", "isRelative": true, "measured": [-1]}]}',
    ],
)
def test_a_file_that_cannot_be_read_costs_what_was_learned_and_a_line_in_the_log(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "lessons.json"
    path.write_bytes(content)

    with structlog.testing.capture_logs() as logs:
        assert LessonFile(path).load() == {}

    assert [entry["event"] for entry in logs] == ["lessons.not_read"]


def test_a_folder_that_cannot_be_written_costs_a_line_in_the_log(tmp_path: Path) -> None:
    with structlog.testing.capture_logs() as logs:
        LessonFile(tmp_path / "gone" / "lessons.json").write({})

    assert [entry["event"] for entry in logs] == ["lessons.not_written"]
