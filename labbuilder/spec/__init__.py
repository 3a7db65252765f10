"""What the user asked for: models, files, errors with their place."""
