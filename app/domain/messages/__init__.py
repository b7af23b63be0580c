"""Messages: sending, editing, deleting, pages of the log, and changes after a position."""
