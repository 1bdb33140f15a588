"""The site's search engine (Elasticsearch or OpenSearch) and its dashboards, over HTTP."""

from __future__ import annotations

from sdsk8s.backends.http.client import HttpError
from sdsk8s.backends.http.dashboards import Dashboards
from sdsk8s.backends.http.search import Search

__all__ = ["Dashboards", "HttpError", "Search"]
