"""`python -m reactorlib.trial`: run tests."""

import sys

from reactorlib.scripts.trial import run

if __name__ == "__main__":
    sys.argv[0] = "python -m reactorlib.trial"
    run()
