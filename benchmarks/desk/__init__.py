"""Many people at the desk at once, over HTTP, and what the log they leave says of it."""
