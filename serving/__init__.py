"""The trained network in use: the export, and the class that classifies drawings with it."""
