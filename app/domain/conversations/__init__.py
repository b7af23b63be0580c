"""Conversations: groups and direct ones, their members and read cursors. The membership grants access."""
