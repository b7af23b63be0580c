"""What happens afterwards, in Celery workers. Tasks are derived from state and safe to run twice; ids are arguments."""
