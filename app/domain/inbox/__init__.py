"""A user's conversations with their unread counts, and the snapshot a socket starts from."""
