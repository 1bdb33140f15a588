"""Copies to and from pods, without the kubernetes library where a plain kubeconfig allows it: that one takes longer
to load than a small copy takes."""
