"""`python -m reactorlib` is `reactord`."""

from reactorlib.scripts.reactord import run

if __name__ == "__main__":
    # The help of a command that says nothing of itself would show it.
    __doc__ = ""
    run()
