"""One socket: its queue of frames, limits, close codes and metrics."""
