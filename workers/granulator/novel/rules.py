"""The rules of every plan of a novel, whoever made it: three acts, scenes with a conflict, and a cast that is kept to.

Anything that parses is judged; each break of a rule is a finding with its place.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from workers.granulator.novel.structure import Novel, Scene
from workers.granulator.quality.finding import Finding, Severity
from workers.granulator.quality.title_rules import title_findings, titled

FEWEST_ACTS: Final = 3
SHORTEST_BACKSTORY: Final = 50


class _Placed(NamedTuple):
    scene: Scene
    path: str
    code: str


def check(novel: Novel) -> tuple[Finding, ...]:
    """What breaks a rule, the largest parts first; empty where the plan keeps every rule."""
    placed = [
        _Placed(scene, f"/children/{act}/children/{chapter}/children/{place}", f"{act + 1}.{chapter + 1}.{place + 1}")
        for act, act_plan in enumerate(novel.children)
        for chapter, chapter_plan in enumerate(act_plan.children)
        for place, scene in enumerate(chapter_plan.children)
    ]
    return (
        *_whole(novel),
        *_parts(novel),
        *_codes(novel, placed),
        *_cast(novel),
        *_presence(novel, placed),
        *(finding for one in placed for finding in _drama(one)),
        *title_findings(list(titled(novel))),
    )


def _whole(novel: Novel) -> Iterator[Finding]:
    if len(novel.children) < FEWEST_ACTS:
        message = f"The novel has {len(novel.children)} acts, and needs {FEWEST_ACTS} to begin, turn and end."
        yield _finding("too_few_acts", "error", "/children", message)
    if not novel.premise.strip():
        yield _finding("premise_missing", "warning", "/premise", "Nothing says what the novel is about.")
    if not novel.scenes:
        yield _finding("no_scenes", "error", "", "The novel has no scene.")


def _parts(novel: Novel) -> Iterator[Finding]:
    for row, act in enumerate(novel.children):
        if not act.children:
            yield _finding("empty_act", "error", f"/children/{row}", f"Act “{act.title}” has no chapter.")
        for column, chapter in enumerate(act.children):
            if not chapter.children:
                path = f"/children/{row}/children/{column}"
                yield _finding("empty_chapter", "error", path, f"Chapter “{chapter.title}” has no scene.")


def _codes(novel: Novel, placed: Sequence[_Placed]) -> Iterator[Finding]:
    """A code says where its part stands, so no two parts share one."""
    expected = [
        *((act.code, str(row), f"/children/{row - 1}") for row, act in enumerate(novel.children, 1)),
        *(
            (chapter.code, f"{row}.{column}", f"/children/{row - 1}/children/{column - 1}")
            for row, act in enumerate(novel.children, 1)
            for column, chapter in enumerate(act.children, 1)
        ),
        *((one.scene.code, one.code, one.path) for one in placed),
    ]
    for given, right, path in expected:
        if given != right:
            yield _finding("wrong_code", "warning", f"{path}/code", f"The code “{given}” should be “{right}” here.")


def _cast(novel: Novel) -> Iterator[Finding]:
    times = Counter(character.name.casefold() for character in novel.characters)
    for index, character in enumerate(novel.characters):
        path = f"/characters/{index}"
        if times[character.name.casefold()] > 1:
            message = f"“{character.name}” is in the cast {times[character.name.casefold()]} times."
            yield _finding("character_repeated", "error", f"{path}/name", message)
        if novel.sourced and len(character.backstory) < SHORTEST_BACKSTORY:
            message = f"The backstory of “{character.name}” has fewer than {SHORTEST_BACKSTORY} characters."
            yield _finding("thin_backstory", "info", f"{path}/backstory", message)
    if novel.scenes and not novel.characters:
        yield _finding("no_characters", "warning", "/characters", "The novel has nobody in it.")


def _presence(novel: Novel, placed: Sequence[_Placed]) -> Iterator[Finding]:
    """Whoever is in a scene is of the cast, has been introduced, and is in one place there."""
    introduced = {character.name: character.introduced for character in novel.characters}
    order = {one.scene.code: number for number, one in enumerate(placed)}
    for number, (scene, path, _) in enumerate(placed):
        places: dict[str, set[str | None]] = defaultdict(set)
        for index, presence in enumerate(scene.characters):
            here = f"{path}/characters/{index}"
            places[presence.name].add(presence.place or scene.place)
            if presence.name not in introduced:
                yield _finding("character_unknown", "error", here, f"“{presence.name}” is not in the cast.")
                continue
            first = introduced[presence.name]
            if first is not None and order.get(first, number) > number:
                message = f"“{presence.name}” is here before being introduced in {first}."
                yield _finding("character_not_introduced", "error", here, message)
        for name, found in places.items():
            if len(found) > 1:
                message = f"“{name}” is in {len(found)} places at once in “{scene.title}”."
                yield _finding("character_in_two_places", "error", f"{path}/characters", message)


def _drama(placed: _Placed) -> Iterator[Finding]:
    """A scene without a conflict is none; what is marked as open is a note to the author."""
    scene, path, _ = placed
    parts = {"goal": scene.goal, "conflict": scene.conflict, "outcome": scene.outcome}
    for name, text in parts.items():
        if not text.strip():
            severity: Severity = "warning" if name == "conflict" else "info"
            message = f"Scene “{scene.title}” has no {name}."
            yield _finding(f"scene_without_{name}", severity, f"{path}/{name}", message)
        elif name in scene.open:
            message = f"The {name} of scene “{scene.title}” is still open."
            yield _finding(f"{name}_open", "info", f"{path}/{name}", message)


def _finding(code: str, severity: Severity, path: str, message: str) -> Finding:
    return Finding(code=code, severity=severity, path=path, message=message)
