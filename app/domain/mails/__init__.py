"""Outgoing mails: enqueued in the transaction that causes them, sent by a task, at most once."""
