"""The HTTP API over scripted parts, one for each test that asks for it."""

from collections.abc import AsyncIterator

import pytest

from tests.integration.http_api import Api, serving
from tests.integration.http_parts import GREETING, Parts


@pytest.fixture
def parts() -> Parts:
    """What stands behind the API; the template `greet` is shipped."""
    parts = Parts()
    parts.templates.ship(GREETING)
    return parts


@pytest.fixture
async def api(parts: Parts) -> AsyncIterator[Api]:
    async with serving(parts.services()) as api:
        yield api
