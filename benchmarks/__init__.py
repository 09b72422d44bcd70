"""What is fast, measured side by side with the alternatives: `python -m benchmarks`."""
