"""Mails to be sent: asked for in the transaction that is their reason, sent by a task, at most once."""
