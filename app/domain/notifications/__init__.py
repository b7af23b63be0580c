"""Telling people of what they have not read: in the app, and the absent by mail. Derived from cursors, safe twice."""
