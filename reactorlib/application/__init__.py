"""Programs: what they are made of, and how they start and stop."""
