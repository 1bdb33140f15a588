"""The site's search engine (Elasticsearch or OpenSearch) and its dashboards, over HTTP."""

from __future__ import annotations

from sdsk8s.backends.http import HttpError
from sdsk8s.backends.search.client import Search
from sdsk8s.backends.search.dashboards import Dashboards

__all__ = ["Dashboards", "HttpError", "Search"]
