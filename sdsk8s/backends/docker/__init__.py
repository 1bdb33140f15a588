"""Building images. The only place that imports `docker`; this module itself imports nothing of it."""
