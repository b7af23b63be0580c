"""Notifies members of unread messages: in the app, and absent ones by mail. Derived from cursors, safe to run twice."""
