"""Fixtures for every test live in tests/fixtures/, one file a thing."""

from hypothesis import settings

# No test is judged by how long it takes: the machine may be busy.
settings.register_profile("harken", deadline=None)
settings.load_profile("harken")

pytest_plugins = [
    "tests.fixtures.shapes",
    "tests.fixtures.kafka",
    "tests.fixtures.postgres",
    "tests.fixtures.feeds",
    "tests.fixtures.jetstream",
    "tests.fixtures.bluesky_network",
    "tests.fixtures.x_server",
    "tests.fixtures.site",
]
