"""`python -m workers.kit MODULE[:NAME]` runs the worker that a module declares."""

from workers.kit.command import run_named

run_named()
