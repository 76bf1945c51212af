"""What a worker has learned, on disk, so that its next life begins with it.

The file is whole or absent: written aside and renamed. It is worth little, so nothing waits for the disk, and one that
cannot be read or written costs a line in the log and never the worker.
"""

import asyncio
import os
from pathlib import Path
from typing import Annotated, Final

import structlog
from pydantic import Field, ValidationError

from protocol.codec import dumps, loads
from protocol.errors import ProtocolError
from protocol.packets import Model
from workers.kit.learning import WINDOW, Experience, Lessons, Measure, Topic
from workers.kit.seams import Clock

_MAX_BYTES: Final = 1024 * 1024

log = structlog.get_logger()

_Measured = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _StoredMeasure(Model):
    action: str
    key: str
    amount: str
    is_relative: bool
    measured: Annotated[tuple[_Measured, ...], Field(min_length=1, max_length=WINDOW)]


class _StoredLessons(Model):
    topics: tuple[_StoredMeasure, ...]


class LessonFile:
    """One worker's lessons. Its methods block: call them from a thread."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> Lessons:
        """What an earlier life has learned; nothing where there is no file, or none that can be read."""
        try:
            stored = _StoredLessons.model_validate(loads(self._path.read_bytes(), _MAX_BYTES))
        except FileNotFoundError:
            return {}
        except (OSError, ProtocolError, ValidationError) as error:
            log.warning("lessons.not_read", error=str(error), path=str(self._path))
            return {}
        lessons: dict[Topic, dict[Measure, tuple[float, ...]]] = {}
        for each in stored.topics:
            lesson = lessons.setdefault((each.action, each.key), {})
            lesson[each.amount, each.is_relative] = each.measured
        return lessons

    def write(self, lessons: Lessons) -> None:
        """Replaces the file by one that only its owner can read."""
        topics = tuple(
            _StoredMeasure(action=action, key=key, amount=amount, is_relative=is_relative, measured=measured)
            for (action, key), lesson in lessons.items()
            for (amount, is_relative), measured in lesson.items()
        )
        aside = self._path.with_suffix(".partial")
        try:
            with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(dumps(_StoredLessons(topics=topics).document()))
            aside.replace(self._path)
        except OSError as error:
            log.warning("lessons.not_written", error=str(error), path=str(self._path))


class LessonKeeper:
    """Writes what is learned while the worker lives: now and then, and at its end."""

    def __init__(self, file: LessonFile, experience: Experience, clock: Clock, every_s: float) -> None:
        self._file = file
        self._experience = experience
        self._clock = clock
        self._every_s = every_s
        self._written = experience.lessons

    async def run(self) -> None:
        while True:
            await self._clock.sleep(self._every_s)
            await self.save()

    async def save(self) -> None:
        """Writes the lessons, if there were any since the last time."""
        lessons = self._experience.lessons
        if lessons is not self._written:
            await asyncio.to_thread(self._file.write, lessons)
            self._written = lessons
