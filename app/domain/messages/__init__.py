"""Messages: the log itself. Sending, editing, deleting, paging, and what changed since."""
