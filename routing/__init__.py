"""Routing: rules, times and the router. Pure functions of a mention, its tags, the rules and a time."""
