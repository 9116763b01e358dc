"""What knows nothing of drawings: the terminal, files, locks."""
