"""Runs the chat on one machine, for development: embedded servers and a supervisor.

Production's API and workers never import it.
"""
