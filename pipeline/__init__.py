"""The spine of harken: what flows, how it flows, how it is run."""
