"""The client of Redis, which bounds every wait."""
