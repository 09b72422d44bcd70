"""How well firestorms are noticed: detectors side by side."""
