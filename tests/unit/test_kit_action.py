"""How an author's function is read when it is declared."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from protocol.packets import Failure
from workers.kit import ActionError, Context, Estimate, Refuse, Worker
from workers.kit.action import Action


class Point(BaseModel):
    x: int
    y: int = 0


async def plot(given: Point) -> Point:
    return given


def test_a_declared_function_stays_the_function_that_it_was() -> None:
    worker = Worker("plotter")

    assert worker.action("plot")(plot) is plot
    assert worker.actions["plot"].function is plot


def test_the_input_is_read_as_the_annotation_says() -> None:
    assert Action.of("plot", plot, None).read({"x": 3}) == Point(x=3, y=0)


@pytest.mark.parametrize("annotated", [dict[str, Any], Any])
def test_an_input_of_any_shape_comes_through_unchanged(annotated: Any) -> None:
    def keep(given):  # type: ignore[no-untyped-def]
        return given

    keep.__annotations__["given"] = annotated
    document = {"a": [1, None, {"b": 2.5}]}

    assert Action.of("keep", keep, None).read(document) == document


def test_an_invalid_input_names_every_path_that_is_wrong() -> None:
    with pytest.raises(ActionError) as raised:
        Action.of("plot", plot, None).read({"y": "high"})

    message = "x: Field required; y: Input should be a valid integer, unable to parse string as an integer"
    assert raised.value.failure == Failure(code="invalid_input", message=message)


def test_an_input_that_is_no_object_at_all_is_named_as_the_input() -> None:
    with pytest.raises(ActionError, match=r"^input: "):
        Action.of("plot", plot, None).read([])


def test_only_the_first_ten_faults_are_named() -> None:
    async def many(given: list[int]) -> None: ...

    with pytest.raises(ActionError, match=r"; and 2 more$"):
        Action.of("many", many, None).read(["x"] * 12)


@pytest.mark.parametrize(
    ("estimator", "estimate"),
    [
        (None, Estimate()),
        (5, Estimate(ms=5)),
        (Estimate(tokens=3), Estimate(tokens=3)),
        (lambda given: given.x * 10, Estimate(ms=20)),
        (lambda given: Estimate(ms=given.x), Estimate(ms=2)),
    ],
)
def test_an_estimate_is_a_number_an_estimate_or_a_function_of_the_input(estimator: Any, estimate: Estimate) -> None:
    assert Action.of("plot", plot, estimator).estimate(Point(x=2)) == estimate


async def generator(given: Point) -> AsyncIterator[int]:
    yield given.x


async def nothing_to_take() -> None: ...


async def too_much(given: Point, context: Context, more: int) -> None: ...


async def misspelt(given: "Pointt") -> None: ...  # type: ignore[name-defined]  # noqa: F821


@pytest.mark.parametrize("function", [generator, nothing_to_take, too_much, misspelt])
def test_a_function_of_the_wrong_shape_is_a_type_error_when_it_is_declared(function: Any) -> None:
    with pytest.raises(TypeError, match="action wrong"):
        Worker("worker").action("wrong")(function)


def test_a_name_that_the_protocol_does_not_allow_is_refused_when_it_is_declared() -> None:
    with pytest.raises(ValidationError):
        Worker("worker").action("Not A Name")(plot)


def test_two_actions_cannot_share_a_name() -> None:
    worker = Worker("worker")
    worker.action("plot")(plot)

    with pytest.raises(ValueError, match="already has an action plot"):
        worker.action("plot")(plot)


def worker_with(*actions: str, default_action: str | None = None) -> Worker:
    worker = Worker("worker", default_action=default_action)
    for name in actions:
        worker.action(name)(plot)
    return worker


def test_the_only_action_is_the_default_one_and_of_several_the_declared_one() -> None:
    assert worker_with("plot").default_action == "plot"
    assert worker_with("plot", "draw").default_action is None
    assert worker_with("plot", "draw", default_action="draw").default_action == "draw"


def test_a_refusal_has_one_of_the_codes_of_the_protocol() -> None:
    with pytest.raises(ValueError, match="tired"):
        Refuse("tired", "no more today")
