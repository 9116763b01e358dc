"""From ndjson files to records on disk: the download, the conversion, the shuffle, the report."""
