"""Routes by which others see whether this replica lives and can do its work."""

import asyncio
from collections.abc import Sequence
from typing import Final

from aiohttp import web

from orchestrator.web.call import Call, answer
from orchestrator.web.ports import Check
from orchestrator.web.refusal import RETRY_AFTER_SECONDS, Refused, detail

CHECK_SECONDS: Final = 3.0


async def healthz(call: Call) -> web.Response:
    """`GET /api/healthz`: the loop turns, nothing else is asked."""
    return answer({"status": "ok"})


async def readyz(call: Call) -> web.Response:
    """`GET /api/readyz`: 503 while a check fails."""
    checks = await _checks(call)
    outcomes = {check.name: {"ok": check.ok, "detail": check.detail} for check in checks}
    failed = [detail((check.name,), check.detail) for check in checks if not check.ok]
    if failed:
        raise Refused(
            503,
            "not_ready",
            f"{failed[0]['path']}: {failed[0]['message']}",
            failed,
            beside={"status": "not_ready", "checks": outcomes},
            headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
        )
    return answer({"status": "ready", "checks": outcomes})


async def health(call: Call) -> web.Response:
    """`GET /health`: alive, as which version, and how its services are."""
    services = {check.name: "ok" if check.ok else "unavailable" for check in await _checks(call)}
    return answer({"status": "ok", "version": call.services.version, "services": services})


async def _checks(call: Call) -> Sequence[Check]:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            return await call.services.health.checks()
    except TimeoutError:
        return (Check("checks", False, f"no answer within {CHECK_SECONDS:.0f} seconds"),)
