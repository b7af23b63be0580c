"""Throttles as operators see them: policies changed while the chat runs, what was counted, what a limit would do."""
