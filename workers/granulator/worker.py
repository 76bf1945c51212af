"""The Content Granulator as a worker: outlines, granulates, indexes and validates, offline.

The work is numpy and pure Python on one text, so each action is a plain function and runs in a thread. A text or a
topic that cannot be used is the caller's fault and final: no other worker could do better with it.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from workers.granulator import actions
from workers.granulator.estimates import ActionName, estimate_ms
from workers.granulator.inputs import GranulateInput, ReadInput, ValidateInput
from workers.kit import ActionError, Context, Estimate, Worker

SLOTS = 4
MEMORY_MB = 256
CPU = 0.5

Given = TypeVar("Given", ReadInput, GranulateInput, ValidateInput)

worker = Worker("granulator", version="0.1", slots=SLOTS, default_action="granulate")


def expected(action: ActionName) -> Callable[[ReadInput | GranulateInput | ValidateInput], Estimate]:
    """The action's estimate, from the size of what it is given."""
    return lambda given: Estimate(ms=estimate_ms(action, given.words), memory_mb=MEMORY_MB, cpu=CPU)


def work(function: Callable[[Given], dict[str, Any]], given: Given, context: Context, doing: str) -> dict[str, Any]:
    context.progress(5, doing)
    try:
        result = function(given)
    except ValueError as error:
        raise ActionError("unusable_input", str(error)) from error
    context.progress(95, "done")
    return result


@worker.action("outline", estimate=expected("outline"))
def outline(given: ReadInput, context: Context) -> dict[str, Any]:
    """Sections, key terms and key sentences of a text."""
    return work(actions.outline_document, given, context, "reading the text")


@worker.action("granulate", estimate=expected("granulate"))
def granulate(given: GranulateInput, context: Context) -> dict[str, Any]:
    """A course of modules and lessons, from an outline, a text, or a topic alone."""
    made = work(actions.make_course, given, context, "making modules and lessons")
    return {"jobId": context.execution_id, "provider": "offline", **made}


@worker.action("index_terms", estimate=expected("index_terms"))
def index_terms(given: ReadInput, context: Context) -> dict[str, Any]:
    """The text's terms, weighted, with the sections they occur in."""
    return work(actions.index_document, given, context, "weighing the terms")


@worker.action("validate", estimate=expected("validate"))
def validate(given: ValidateInput, context: Context) -> dict[str, Any]:
    """How good a structure is, measured in itself and against its source."""
    return work(actions.measure_structure, given, context, "measuring the structure")


if __name__ == "__main__":
    worker.main()
