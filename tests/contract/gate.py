"""What an action of a test's worker waits at: it says that it has come, and goes on when it is let."""

import asyncio


class Gate:
    """`runs` counts how often the action has come."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.opened = asyncio.Event()
        self.runs = 0
