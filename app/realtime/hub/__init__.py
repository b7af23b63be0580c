"""Which sockets receive which events in this process: rooms, gaps, catching up, polls."""
