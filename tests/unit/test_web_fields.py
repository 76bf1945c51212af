"""Which names a client's fields go by, and what is said of those that are not right."""

from collections.abc import Mapping
from typing import Any, ClassVar

import pytest

from orchestrator.web.fields import MOST_FAULTS, ClientModel, NoFields, read, read_query
from orchestrator.web.refusal import Refused
from protocol.packets import Heartbeat


class Order(ClientModel):
    also: ClassVar[Mapping[str, str]] = {"amountWanted": "how_many"}

    dish: str
    how_many: int = 1
    given: Any = None


def refusal(document: Any, model: type[Any] = Order) -> Refused:
    with pytest.raises(Refused) as caught:
        read(model, document)
    return caught.value


@pytest.mark.parametrize("name", ["howMany", "how_many", "amountWanted", "amount_wanted"])
def test_a_field_goes_by_each_of_its_names(name: str) -> None:
    assert read(Order, {"dish": "soup", name: 2}) == Order(dish="soup", how_many=2)


def test_what_is_inside_a_value_keeps_its_names() -> None:
    order = read(Order, {"dish": "soup", "given": {"how_many": 1, "howMany": 2}})

    assert order.given == {"how_many": 1, "howMany": 2}


def test_null_is_the_same_as_absent() -> None:
    assert read(Order, {"dish": "soup", "howMany": None}) == Order(dish="soup")


def test_an_unknown_field_is_refused_with_its_path_and_the_nearest_name() -> None:
    refused = refusal({"dish": "soup", "howMeny": 2})

    assert (refused.status, refused.details) == (
        422,
        [{"path": "howMeny", "message": 'is an unknown field; did you mean "howMany"?'}],
    )


def test_an_unknown_field_that_is_near_to_none_is_told_what_is_known() -> None:
    refused = refusal({"dish": "soup", "zzz": 2})

    assert refused.details == [{"path": "zzz", "message": "is an unknown field; known here: dish, howMany, given"}]


def test_a_field_given_under_two_names_is_refused() -> None:
    refused = refusal({"dish": "soup", "howMany": 2, "how_many": 2})

    assert refused.details == [{"path": "how_many", "message": 'is the same field as "howMany": give one of them'}]


def test_a_fault_is_told_at_the_name_that_was_given() -> None:
    refused = refusal({"dish": "soup", "how_many": "two"})

    assert refused.details == [{"path": "how_many", "message": "Input should be a valid integer"}]


def test_a_missing_field_is_told_as_required() -> None:
    assert refusal({}).details == [{"path": "dish", "message": "is required"}]


@pytest.mark.parametrize("value", ["2", 2.0, True, [2]], ids=repr)
def test_a_wrong_type_is_never_made_right(value: Any) -> None:
    assert refusal({"dish": "soup", "howMany": value}).status == 422


def test_faults_are_told_at_their_place_in_the_whole_body() -> None:
    with pytest.raises(Refused) as caught:
        read(Order, {"dsh": "soup"}, ("orders", 3))

    assert caught.value.message == 'orders[3].dsh: is an unknown field; did you mean "dish"?'


def test_a_body_of_many_unknown_fields_is_told_some_of_them() -> None:
    refused = refusal({f"unknown_{number}" * 100: 1 for number in range(10_000)})

    assert len(refused.details or ()) == MOST_FAULTS


@pytest.mark.parametrize("document", [[], "text", 1, True], ids=repr)
def test_what_is_no_object_is_refused(document: Any) -> None:
    assert refusal(document).details == [{"path": "", "message": "must be an object"}]


def test_a_body_that_says_nothing_takes_nothing() -> None:
    assert refusal({"force": True}, NoFields).details == [
        {"path": "force", "message": "is an unknown field; none is taken here"}
    ]


def test_unknown_fields_of_workers_are_ignored() -> None:
    assert read(Heartbeat, {"free_slots": 2, "mood": "good"}) == Heartbeat(free_slots=2)


def test_a_query_is_read_from_text() -> None:
    assert read_query(Order, [("dish", "soup"), ("how_many", "3")]) == Order(dish="soup", how_many=3)


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ([("dish", "soup"), ("howMany", "three")], "howMany"),
        ([("dish", "soup"), ("dish", "salad")], "dish"),
        ([("dish", "soup"), ("page", "1")], "page"),
        ([("dish", "so\0up")], "dish"),
        ([("dish", "so\udcffup")], "dish"),
        ([], "dish"),
    ],
)
def test_a_query_that_is_not_right_is_refused_by_name(query: list[tuple[str, str]], path: str) -> None:
    with pytest.raises(Refused) as caught:
        read_query(Order, query)

    assert caught.value.status == 422
    assert caught.value.message.startswith(f"{path}: ")
