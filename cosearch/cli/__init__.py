"""The command line: `dovetail` and, for its search commands, `cosearch`."""

from .app import cosearch_main, main

__all__ = ["cosearch_main", "main"]
