"""Fixtures for every test live in tests/fixtures/, one file a thing."""

pytest_plugins = ["tests.fixtures.shapes"]
