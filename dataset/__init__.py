"""From ndjson files to records on disk: what a record is, and the conversion."""
