"""The celery application. `celeryconfig` is a top-level module on PYTHONPATH, rendered for this site."""

import celeryconfig
from celery import Celery

app = Celery("hysds", include=["hysds.orchestrator", "hysds.job_worker", "hysds.user_rules"])
app.config_from_object(celeryconfig)
