"""What a reader of a run received, and when: figures, and a table of one row a delta."""
