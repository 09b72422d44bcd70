"""Firestorms: counting what is said, noticing what should not be, and working on it as one thing."""
