"""Background work as operators see it: queues, and tasks that failed for good."""
