"""Where mentions come from: one file a source, each with its `Config` and its `Connector`."""
