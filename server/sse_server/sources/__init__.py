"""Where tokens come from: models, recordings, seeded text."""
