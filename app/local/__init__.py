"""Runs the chat on one machine, with `chat up`: embedded servers for development, and supervisord.

With servers of your own it runs in production too, without the packages of embedded servers. The API and the workers
never import it.
"""
