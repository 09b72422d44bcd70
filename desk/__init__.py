"""The desk: people work the queues, one voice to each customer, in time."""
