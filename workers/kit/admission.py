"""Whether an offer is taken: the rules of the handshake on the worker's side.

The same offer gets the same answer for as long as it may be asked again, and an accept has its slot before it is said.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import structlog

from protocol.errors import RefusalCode
from protocol.packets import Accept, AttemptKey, Offer, Reject, Resources
from workers.kit.action import Action
from workers.kit.answers import ActionError, Estimate, Refuse, describe, wire_text
from workers.kit.attempts import Attempt, Attempts, Identity, Origin, Work, identity_of
from workers.kit.learning import Amounts, Experience

REFUSALS_REMEMBERED: Final = 10_000
STAGE_AGAIN_MS: Final = 1_000

log = structlog.get_logger()


class Admission:
    """Answers offers and reserves slots."""

    def __init__(
        self,
        worker_id: str,
        actions: Mapping[str, Action],
        attempts: Attempts,
        grace_s: float,
        experience: Experience,
    ) -> None:
        self.worker_id = worker_id
        self.draining = False
        self._actions = actions
        self._attempts = attempts
        self._grace_s = grace_s
        self._experience = experience
        self._refusals: dict[Identity, tuple[float, Reject]] = {}

    def answer(self, offer: Offer, origin: Origin, now: float, *, is_local: bool = False) -> Attempt | Reject:
        """The attempt that now holds a slot, or the refusal; for a repeated offer, what was said the first time."""
        identity = identity_of(offer)
        self._attempts.sweep(now)
        self._forget_refusals(now)
        if held := self._attempts.find(identity):
            return held
        if remembered := self._refusals.get(identity):
            return remembered[1]
        expires_at = now + offer.offer_expires_ms / 1000 + self._grace_s
        answer = self._decide(offer, origin, now, expires_at, is_local)
        if isinstance(answer, Reject):
            self._refusals[identity] = (expires_at, answer)
        else:
            self._attempts.reserve(answer)
        return answer

    def _decide(self, offer: Offer, origin: Origin, now: float, expires_at: float, is_local: bool) -> Attempt | Reject:
        action = self._actions.get(offer.action)
        if self.draining:
            return self._refuse(offer, Refuse(RefusalCode.DRAINING, "this worker is shutting down"))
        if action is None:
            known = ", ".join(sorted(self._actions))
            return self._refuse(offer, Refuse(RefusalCode.UNSUPPORTED, f"no action {offer.action} here, only {known}"))
        if self._attempts.free(now) < 1:
            hint = self._attempts.retry_after_ms(now)
            return self._refuse(offer, Refuse(RefusalCode.BUSY, f"all {self._attempts.slots} slots are taken", hint))
        if self._attempts.is_at_work((offer.execution_id, offer.stage_id)):
            # They would share a folder. An attempt that was told to stop may be long in doing so in a thread.
            reason = "an earlier attempt of this stage has not ended here yet"
            return self._refuse(offer, Refuse(RefusalCode.POLICY, reason, retry_after_ms=STAGE_AGAIN_MS))
        try:
            given = action.read(offer.input_data)
            work = Work(action, given, action.estimate(given))
            accept = self._accept(offer, work.estimate, self._experience.expect(action.name, work.estimate))
        except Refuse as refused:
            return self._refuse(offer, refused)
        except ActionError as error:
            return self._refuse(offer, Refuse(RefusalCode.INVALID_INPUT, error.failure.message))
        except Exception as error:
            log.exception("offer.not_weighed", action=action.name, **_ids(offer))
            return self._refuse(offer, Refuse(RefusalCode.POLICY, f"the offer could not be weighed: {describe(error)}"))
        key = AttemptKey(
            execution_id=offer.execution_id, stage_id=offer.stage_id, attempt=offer.attempt, fence=offer.fence
        )
        attempt = Attempt(key, action.name, origin, is_local, accept, work, expires_at, accepted_at=now)
        if offer.resource_requirements.timeout_ms is not None:
            attempt.timeout_s = offer.resource_requirements.timeout_ms / 1000
        return attempt

    def _accept(self, offer: Offer, estimate: Estimate, expected: Amounts) -> Accept:
        return Accept(
            execution_id=offer.execution_id,
            stage_id=offer.stage_id,
            fence=offer.fence,
            worker_id=self.worker_id,
            estimated_completion_ms=_whole(expected.ms),
            resource_requirements=_resources(estimate, expected),
        )

    def _refuse(self, offer: Offer, refuse: Refuse) -> Reject:
        return Reject(
            execution_id=offer.execution_id,
            stage_id=offer.stage_id,
            fence=offer.fence,
            worker_id=self.worker_id,
            code=refuse.code,
            reason=wire_text(refuse.reason),
            retry_after_ms=refuse.retry_after_ms,
        )

    def _forget_refusals(self, now: float) -> None:
        """Drops what expired, oldest first; offers made in a row expire in nearly the same order."""
        while self._refusals:
            identity, (expires_at, _) = next(iter(self._refusals.items()))
            if expires_at > now and len(self._refusals) <= REFUSALS_REMEMBERED:
                return
            del self._refusals[identity]


def _whole(ms: float | None) -> int | None:
    """The protocol's whole milliseconds. What takes less than one is not said to take none: that could not be wrong."""
    return None if ms is None else max(round(ms), 1 if ms > 0 else 0)


def _resources(estimate: Estimate, expected: Amounts) -> Resources | None:
    _, tokens, cost_usd = expected
    if tokens is cost_usd is estimate.memory_mb is estimate.cpu is estimate.api_calls is None:
        return None
    return Resources(
        estimated_tokens=None if tokens is None else round(tokens),
        cpu=estimate.cpu,
        memory=estimate.memory_mb,
        api_calls=estimate.api_calls,
        cost_usd=None if cost_usd is None else Decimal(str(cost_usd)),
    )


def _ids(offer: Offer) -> dict[str, Any]:
    return {"execution_id": offer.execution_id, "stage_id": offer.stage_id, "attempt": offer.attempt}
