"""Documents of the search engine: the calls that Elasticsearch 7 and 8 and OpenSearch have in common."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from sdsk8s.backends.http.client import Http

Document = dict[str, Any]
PAGE = 500


class Search(Http):
    """The engine at `base`. Every change is visible to searches when the call returns."""

    def ids(self, index: str) -> list[str]:
        """Ids of all documents, in order; an index that does not exist has none."""
        return sorted(doc_id for doc_id, _ in self.all(index, source=False))

    def all(
        self, index: str, query: Mapping[str, Any] | None = None, source: bool = True
    ) -> Iterator[tuple[str, Document]]:
        """(id, document) of everything that matches, page by page. Nothing when the index does not exist."""
        body = {"size": PAGE, "query": query or {"match_all": {}}, "_source": source, "sort": ["_doc"]}
        page = self.send("POST", f"/{quote(index, safe=',*')}/_search?scroll=1m", body, ok=(404,))
        if "hits" not in page:
            return
        try:
            while page["hits"]["hits"]:
                for hit in page["hits"]["hits"]:
                    yield hit["_id"], hit.get("_source") or {}
                page = self.send("POST", "/_search/scroll", {"scroll": "1m", "scroll_id": page["_scroll_id"]})
        finally:
            if page.get("_scroll_id"):
                self.send("DELETE", "/_search/scroll", {"scroll_id": page["_scroll_id"]}, ok=(404,))

    def search(self, index: str, body: Mapping[str, Any]) -> Document:
        """One search's answer, as the engine gives it."""
        found: Document = self.send("POST", f"/{quote(index, safe=',*')}/_search", dict(body))
        return found

    def date_field(self, index: str, names: Sequence[str]) -> str:
        """The first of these fields that all parts of the index map as a date, or ""."""
        answer = self.send(
            "GET", f"/{quote(index, safe=',*')}/_mapping/field/{quote(','.join(names), safe=',@')}", ok=(404,)
        )
        parts = [part.get("mappings") or {} for part in answer.values()] if isinstance(answer, dict) else []
        for name in names:
            kinds = [
                ((p.get(name) or {}).get("mapping") or {}).get(name.rpartition(".")[2], {}).get("type") for p in parts
            ]
            if kinds and all(kind == "date" for kind in kinds):
                return name
        return ""

    def get(self, index: str, doc_id: str) -> Document | None:
        """A document, or None."""
        answer = self.send("GET", f"/{quote(index)}/_doc/{quote(doc_id, safe='')}", ok=(404,))
        return answer["_source"] if isinstance(answer, dict) and answer.get("found") else None

    def put(self, index: str, doc_id: str, document: Mapping[str, Any]) -> None:
        """Make or replace a document."""
        self.send("PUT", f"/{quote(index)}/_doc/{quote(doc_id, safe='')}?refresh=true", dict(document))

    def delete(self, index: str, doc_id: str) -> bool:
        """Remove a document. False when there was none."""
        answer = self.send("DELETE", f"/{quote(index)}/_doc/{quote(doc_id, safe='')}?refresh=true", ok=(404,))
        return isinstance(answer, dict) and answer.get("result") == "deleted"


def exactly(field: str, value: str) -> dict[str, Any]:
    """Documents whose field has this value, whether it is mapped as keyword or as text with one below it."""
    return {
        "bool": {
            "should": [{"term": {field: value}}, {"term": {f"{field}.keyword": value}}],
            "minimum_should_match": 1,
        }
    }
