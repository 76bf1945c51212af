"""Where an orchestrator is reached: one of several replicas, any of which will do.

Those that were given come first, then those that the one at hand has told of. One that fails makes room for the next.
`current` may be read in any thread.
"""

from collections.abc import Iterable

from yarl import URL


class Orchestrators:
    """A ring of replicas; `current` is the one that this worker turns to."""

    def __init__(self, given: Iterable[URL]) -> None:
        self._given = tuple(dict.fromkeys(given))
        self._known = self._given
        self.current = self._given[0]

    @property
    def has_others(self) -> bool:
        """Whether there is anybody else to turn to."""
        return len(self._known) > 1

    def learn(self, urls: Iterable[str]) -> None:
        """The replicas that live, as one of them says; those that it told of before are forgotten."""
        told = (URL(url) for url in urls)
        self._known = tuple(dict.fromkeys((*self._given, *told, self.current)))

    def turn(self) -> None:
        """The current one has failed: on to the next."""
        place = self._known.index(self.current) + 1
        self.current = self._known[place % len(self._known)]
