"""What builds services from command lines: each module has `Options` and `makeService`."""
