"""Requests a second of the embedded server."""
