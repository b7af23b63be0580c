"""Users: rows, e-mail addresses, search."""
