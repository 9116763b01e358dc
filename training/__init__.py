"""A training run: what it is, its hooks, its summaries, its processes."""
