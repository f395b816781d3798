"""Lets `python -m octoverse` do what `octoverse` does."""

from octoverse.cli.main import main

main()
