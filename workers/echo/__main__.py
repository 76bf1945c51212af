"""`python -m workers.echo --orchestrator URL` runs the echo worker."""

from workers.echo import worker

worker.main()
