"""What model.py is made of: the recurrence, the optimiser, the measures of guesses."""
