"""What train_model.py leaves on disk: the description, the checkpoints, the best, evaluations."""
