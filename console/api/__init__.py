"""The HTTP API of the desk: /api/v1."""
