"""What a mention is about and wants: one file a stage, each with its `Config` and its `Stage`."""
