"""Where routed mentions go: one file a destination, each with its `Config` and its `Sink`."""
