"""Shared by every package of the demo system: search engine, records, clock."""
