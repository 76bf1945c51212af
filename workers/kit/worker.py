"""What an author declares: a worker, the actions it offers, and what it does besides."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import TypeAdapter

from protocol.packets import Identifier
from workers.kit.action import Action, Estimated, Estimator
from workers.kit.home import Home

if TYPE_CHECKING:
    from aiohttp.web import AbstractRouteDef

F = TypeVar("F", bound=Callable[..., Any])
Routes = Callable[[], "Iterable[AbstractRouteDef]"]
StartHook = Callable[[Home], Any]
R = TypeVar("R", bound=Routes)
H = TypeVar("H", bound=StartHook)

_identifier: TypeAdapter[str] = TypeAdapter(Identifier)


class Worker:
    """A named set of actions, with what they need around them: hooks for the start, endpoints of its own.

    `slots` is how many attempts run at once, `default_action` what a handshake means that names none (needed only
    where there are several actions). Declaring starts nothing.
    """

    def __init__(
        self,
        name: str,
        *,
        version: str = "0",
        slots: int = 1,
        default_action: str | None = None,
        labels: Mapping[str, str] | None = None,
        resources: Mapping[str, Any] | None = None,
    ) -> None:
        if slots < 1:
            raise ValueError("a worker has at least one slot")
        self.name = _identifier.validate_python(name)
        self.version = version
        self.slots = slots
        self.labels = dict(labels or {})
        self.resources = dict(resources or {})
        self._default_action = default_action
        self._actions: dict[str, Action] = {}
        self._routes: list[Routes] = []
        self._start_hooks: list[StartHook] = []

    def action(self, name: str, *, estimate: Estimator | Estimated | None = None) -> Callable[[F], F]:
        """Declares a function as the action `name`, and leaves the function as it is.

        `estimate` is milliseconds or an `Estimate`, or a quick function of the validated input that returns one and
        may raise `Refuse`. It is called on the event loop while an offer waits for its answer.
        """

        def declare(function: F) -> F:
            if name in self._actions:
                raise ValueError(f"worker {self.name} already has an action {name}")
            self._actions[name] = Action.of(name, function, estimate)
            return function

        return declare

    def on_start(self, hook: H) -> H:
        """Declares what to do before the first offer: `hook` is handed the process's `Home`, and left as it is.

        It may be plain or async. If it returns a context manager, async or not, that is entered now and left when the
        worker stops, after the last attempt. Hooks run in the order of their declaration and end in the reverse one.
        """
        self._start_hooks.append(hook)
        return hook

    def serve(self, routes: R) -> R:
        """Declares HTTP endpoints beside the kit's own, behind the same secret: `routes` returns aiohttp's definitions.

        It is called when the worker begins to listen, after the hooks, and only if it has a port. One for
        `GET /api/jobs/{id}` takes the place of the kit's; the other calls of the protocol cannot be replaced.
        """
        self._routes.append(routes)
        return routes

    @property
    def start_hooks(self) -> Sequence[StartHook]:
        return tuple(self._start_hooks)

    @property
    def routes(self) -> Sequence[Routes]:
        return tuple(self._routes)

    @property
    def actions(self) -> Mapping[str, Action]:
        return MappingProxyType(self._actions)

    @property
    def default_action(self) -> str | None:
        """The action of a handshake that names none: the declared one, or the only one there is."""
        if self._default_action is None and len(self._actions) == 1:
            return next(iter(self._actions))
        return self._default_action

    def main(self, arguments: Sequence[str] | None = None) -> None:
        """Runs this worker from the command line and exits the process; see `--help`."""
        # Declaring a worker must stay light; the server and the client are loaded only by who runs one.
        from workers.kit.command import run_declared

        run_declared(self, arguments)
