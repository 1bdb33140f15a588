"""Carries records from a Redis list into the search engine: the place that Logstash has in larger sites."""
