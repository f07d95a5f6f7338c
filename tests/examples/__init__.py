"""The programs in docs/examples, run as real processes and spoken to from outside."""
