"""Hearing right: what a trained model sees of a text, how it scores it, and how it is trained."""
