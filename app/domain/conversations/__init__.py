"""Conversations: groups and direct ones, their members and read cursors. The door to one is the membership."""
