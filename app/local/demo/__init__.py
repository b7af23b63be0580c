"""`chat demo`: people and conversations to look at, and people who go on talking while it runs."""
