"""`python -m orchestrator` is `baton`."""

from orchestrator.cli import main

if __name__ == "__main__":
    main(prog_name="baton")
