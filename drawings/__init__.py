"""What a drawing is: ink, lines of ndjson, pictures. Nothing here knows of TensorFlow."""
