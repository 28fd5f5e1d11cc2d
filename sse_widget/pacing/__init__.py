"""When text moves: pure modules that take text and `now` and return text."""
