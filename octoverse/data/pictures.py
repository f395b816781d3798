"""Decoded images of opened episodes, and which of them are kept."""
