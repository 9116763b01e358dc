"""What knows nothing of drawings: how programs start and end, the terminal, files, locks."""
