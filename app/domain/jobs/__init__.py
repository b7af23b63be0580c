"""What was given to workers, as operators see it: queues, and tasks that failed for good."""
