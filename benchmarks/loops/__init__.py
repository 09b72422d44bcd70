"""One small function in five loops. Each module is one loop in a process of its own; its last line of output is a
JSON object: how many messages it timed, and the seconds they took.

The rivals run in an environment of their own (see rivals.txt): nothing here imports harken unless it measures it.
"""
