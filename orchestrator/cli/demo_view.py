"""What the demo made, as it shows it: a course with its quality, a question, a trained model, a handshake. Pure."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.text import Text

from orchestrator.cli.printable import json_text, plain
from orchestrator.cli.structure import Node, children, find_structured
from orchestrator.cli.structure_view import structure_tree
from orchestrator.client import Document

COURSE_LINES: Final = 24
BODY_WIDTH: Final = 110


def lesson_view(document: Document, now: datetime) -> RenderableType:
    """Of the pipeline's result: the course, shortened, the quality of all, and a question of the quiz."""
    result = document["result"]
    structures = result["structures"]
    structured = find_structured(result)
    parts: list[RenderableType] = [Text(), structure_tree(structures["course"], COURSE_LINES), Text()]
    if structured is not None and structured.score is not None:
        found = len(structured.findings or ())
        parts.append(Text(f"Quality score {structured.score} of 100, with {found} findings."))
    parts += _question_lines(list(_questions(structures["quiz"])))
    return Group(*parts)


def model_view(document: Document, now: datetime) -> RenderableType:
    """Of the training's result: how good the model is, and its weights."""
    result = document["result"]
    weights = result["weights"]
    return Group(
        Text(),
        Text(f"Accuracy {result['accuracy']:.1%} on digits it had not seen, loss {result['loss']:.4f}.", "bold"),
        plain(f"Its weights: {weights['sizeBytes']:,} bytes, SHA-256 {weights['sha256']}"),
    )


def handshake_view(packets: list[Mapping[str, Any]], stage: str) -> RenderableType:
    """What was said between orchestrator and worker about one stage."""
    lines: list[RenderableType] = [Text(), Text(f"The handshake of the stage {stage}:", style="bold")]
    for packet in packets:
        if packet["stage"] == stage:
            arrow = "->" if packet["direction"] == "out" else "<-"
            line = f"  {packet['seq']:>3}  {packet['at'][11:23]}  {arrow} {packet['type']:<8} {_told(packet)}"
            lines.append(plain(line))
    return Group(*lines)


def _questions(node: Node) -> Iterator[Node]:
    if node.get("options"):
        yield node
    for child in children(node):
        yield from _questions(child)


def _question_lines(questions: list[Node]) -> list[RenderableType]:
    if not questions:
        return []
    asked = questions[0]
    options = [
        plain(f"  {'*' if option == asked['answer'] else ' '} {option}", "green" if option == asked["answer"] else "")
        for option in asked["options"]
    ]
    return [
        Text(),
        Text(f"One of {len(questions)} questions, its answer marked:"),
        plain(f"  {asked['stem']}"),
        *options,
    ]


def _told(packet: Mapping[str, Any]) -> str:
    if "body" not in packet:
        return f"({packet['bytes']} bytes, SHA-256 {packet['sha256'][:16]}...)"
    keys = ("executionId", "stageId", "type", "fence")
    body = {name: value for name, value in packet["body"].items() if name not in keys}
    text = " ".join(json_text(body).split())
    return text if len(text) <= BODY_WIDTH else f"{text[:BODY_WIDTH]}..."
