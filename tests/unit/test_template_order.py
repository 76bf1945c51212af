"""The order of stages, over random graphs of needs."""

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.core.template_order import StageOrder, dependents_of, order_of


@st.composite
def acyclic_needs(draw: st.DrawFn, at_least: int = 1) -> dict[str, tuple[str, ...]]:
    """Needs without a circle, in a text whose order has nothing to do with them."""
    names = draw(
        st.lists(st.from_regex(r"[a-z][a-z0-9]{0,3}", fullmatch=True), min_size=at_least, max_size=12, unique=True)
    )
    needs = {
        name: tuple(draw(st.lists(st.sampled_from(names[:index]), unique=True))) if index else ()
        for index, name in enumerate(names)
    }
    return {name: needs[name] for name in draw(st.permutations(names))}


@settings(deadline=None)
@given(acyclic_needs())
def test_each_stage_comes_after_all_that_it_needs(needs: dict[str, tuple[str, ...]]) -> None:
    order = order_of(needs)

    place = {stage: index for index, stage in enumerate(order.stages)}
    assert order.circles == ()
    assert sorted(order.stages) == sorted(needs)
    assert all(place[need] < place[stage] for stage, required in needs.items() for need in required)


@settings(deadline=None)
@given(acyclic_needs())
def test_what_needs_leave_open_follows_the_text(needs: dict[str, tuple[str, ...]]) -> None:
    text = list(needs)
    placed: set[str] = set()

    for stage in order_of(needs).stages:
        ready = [name for name in text if name not in placed and placed.issuperset(needs[name])]
        assert stage == ready[0]
        placed.add(stage)


@settings(deadline=None)
@given(acyclic_needs())
def test_before_a_stage_is_whatever_its_needs_lead_to(needs: dict[str, tuple[str, ...]]) -> None:
    def reached(stage: str) -> frozenset[str]:
        return frozenset(needs[stage]).union(*map(reached, needs[stage]))

    assert order_of(needs).before == {stage: reached(stage) for stage in needs}


@settings(deadline=None)
@given(acyclic_needs(at_least=2), st.data())
def test_a_circle_is_always_found_and_is_one(needs: dict[str, tuple[str, ...]], data: st.DataObject) -> None:
    along = data.draw(st.lists(st.sampled_from(list(needs)), min_size=2, unique=True))
    for stage, need in zip(along, [*along[1:], along[0]], strict=True):
        needs[stage] = tuple(dict.fromkeys((*needs[stage], need)))

    order = order_of(needs)

    assert order.circles
    for circle in order.circles:
        assert all(need in needs[stage] for stage, need in zip(circle, [*circle[1:], circle[0]], strict=True))
        assert circle[0] == min(circle, key=list(needs).index)
    assert not set(order.stages) & {stage for circle in order.circles for stage in circle}


def test_every_separate_circle_is_named_and_what_only_follows_one_is_not() -> None:
    needs = {"free": (), "x": ("b",), "b": ("c",), "a": ("b",), "c": ("a", "free"), "d": ("e", "x"), "e": ("d",)}

    assert order_of(needs) == StageOrder(("free",), {"free": frozenset()}, (("b", "c", "a"), ("d", "e")))


def test_dependents_are_the_reverse_of_needs() -> None:
    assert dependents_of({"a": (), "c": ("a", "b"), "b": ("a",)}) == {"a": ("c", "b"), "c": (), "b": ("c",)}
