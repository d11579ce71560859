"""One file per suite: `TITLE`, `ABOUT`, `run(reference)` and, where constants are fitted, `CALIBRATES`."""
