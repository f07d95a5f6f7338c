"""Running tests in several processes."""
