"""Job management of the demo system: celery application, orchestrator, workers, user rules."""
