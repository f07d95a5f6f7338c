"""What needs no event loop and no socket."""
