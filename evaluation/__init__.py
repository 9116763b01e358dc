"""What an evaluation sees, drawing by drawing, and the report of it."""
