"""Who may, and what is accepted."""
