"""Reading an old site: what it runs, what each part becomes on Kubernetes, and what has no counterpart."""
