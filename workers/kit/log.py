"""Sets up the log of a worker's process: one line an event, on stderr, for machines or for a person at a terminal."""

import logging
import sys

import structlog


def configure_log() -> None:
    """JSON lines, unless stderr is a terminal."""
    is_terminal = sys.stderr.isatty()
    # Plain tracebacks in both: the others print local variables, and with them inputs and secrets.
    for_reader: list[structlog.typing.Processor] = (
        [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
        if is_terminal
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *for_reader,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
