"""`python -m dovetail`: the command line."""

import sys

from .cosearch.cli import main

if __name__ == "__main__":
    sys.exit(main())
