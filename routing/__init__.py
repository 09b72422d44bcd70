"""Where a mention goes: pure functions of a mention, its tags, rules and a time."""
