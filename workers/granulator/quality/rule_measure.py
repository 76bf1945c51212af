"""How far a structure keeps the rules of its own kind: the share of its elements that break none of them."""

import re
from collections.abc import Collection, Iterable

from workers.granulator.quality.finding import Finding, Measured, share
from workers.granulator.quality.tree import Tree
from workers.granulator.structure import Structure
from workers.granulator.wire import WireValue

# A structure that breaks a rule as a whole cannot be used as it is, however sound its elements are.
BROKEN_AS_A_WHOLE = 0.5

_PLACE = re.compile(r"(?:/children/\d+)+|/[A-Za-z]+/\d+")


def rules(tree: Tree, broken: Iterable[Finding], counted: Collection[str] = ()) -> Measured:
    """The share of elements, and of values that the root lists, that no finding is about.

    An error on the whole halves it. `broken` is what the kind's rules find. Remarks (`info`) take nothing away, and
    neither does what stands at a path in `counted`, because another measure has charged for it.
    """
    found = tuple(broken)
    charged = [finding for finding in found if finding.severity != "info" and finding.path not in counted]
    places = {placed.path for placed in tree.elements} | _listed(tree.root)
    faulty = {_place(finding.path) for finding in charged} & places
    whole = any(finding.severity == "error" and _place(finding.path) not in places for finding in charged)
    clean = share(len(places) - len(faulty), len(places))
    return Measured(BROKEN_AS_A_WHOLE * clean if whole else clean, found)


def _place(path: str) -> str:
    """The pointer of the element or listed value that a finding's path leads into; "" for the whole."""
    match = _PLACE.match(path)
    return match.group() if match else ""


def _listed(root: Structure) -> set[str]:
    """The pointers of the values that a root lists beside its children, such as relations and characters."""
    return {
        f"/{name}/{index}"
        for name, values in root
        if name != "children" and isinstance(values, tuple)
        for index, value in enumerate(values)
        if isinstance(value, WireValue)
    }
