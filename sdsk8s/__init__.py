"""sdsk8s: the verbs of a science data system's operators, on Kubernetes."""

__version__ = "0.1.0"
