"""An action: the author's function, read once, when it is declared.

Whatever is wrong with its shape is a TypeError at the declaration, never a failed attempt later.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from protocol.packets import ActionName
from workers.kit.answers import ActionError, Estimate

Estimated = Estimate | float
Estimator = Callable[[Any], Estimated]

_action_name: TypeAdapter[str] = TypeAdapter(ActionName)
_FAULTS_NAMED = 10


@dataclass(frozen=True, slots=True)
class Action:
    """A name, the function behind it, and what the function takes."""

    name: str
    function: Callable[..., Any]
    is_async: bool
    wants_context: bool
    takes: TypeAdapter[Any]
    estimator: Estimator | Estimated | None

    @classmethod
    def of(cls, name: str, function: Callable[..., Any], estimator: Estimator | Estimated | None) -> "Action":
        """The action that `function` is; raises TypeError, or ValueError for a name the protocol does not allow."""
        _action_name.validate_python(name)
        if inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function):
            raise TypeError(f"action {name}: a generator cannot be an action; return the result")
        try:
            signature = inspect.signature(function, eval_str=True)
        except NameError as error:
            raise TypeError(f"action {name}: its annotations cannot be read: {error}") from error
        parameters = list(signature.parameters.values())
        if len(parameters) not in (1, 2):
            raise TypeError(f"action {name} takes (given) or (given, context), not {signature}")
        annotation = parameters[0].annotation
        return cls(
            name=name,
            function=function,
            is_async=inspect.iscoroutinefunction(function),
            wants_context=len(parameters) == 2,
            takes=TypeAdapter(Any if annotation is inspect.Parameter.empty else annotation),
            estimator=estimator,
        )

    def read(self, input_data: Any) -> Any:
        """The input as the function takes it; raises `ActionError` `invalid_input` that names the paths."""
        try:
            return self.takes.validate_python(input_data)
        except ValidationError as error:
            raise ActionError("invalid_input", _faults(error)) from None

    def estimate(self, given: Any) -> Estimate:
        """What the author expects of `given`; an empty estimate where the action declares none."""
        estimated = self.estimator(given) if callable(self.estimator) else self.estimator
        if estimated is None:
            return Estimate()
        return estimated if isinstance(estimated, Estimate) else Estimate(ms=estimated)


def _faults(error: ValidationError) -> str:
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    named = [f"{'.'.join(map(str, fault['loc'])) or 'input'}: {fault['msg']}" for fault in faults[:_FAULTS_NAMED]]
    unnamed = len(faults) - len(named)
    return "; ".join(named) + (f"; and {unnamed} more" if unnamed else "")
