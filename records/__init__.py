"""What a record is: its schema, the class list, damaged ones, the augmentation of a batch."""
