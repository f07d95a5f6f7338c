"""The reactor, and what stands on it."""
