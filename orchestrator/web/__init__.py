"""The HTTP API: one table of routes, one gate for bodies, one shape for errors. It decides nothing about executions.

What it needs of the rest of the orchestrator stands in `ports.py` and is injected; dispatch is never imported.
"""
