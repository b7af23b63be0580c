"""Invites: links that operators create and by which people register. Only a digest of each token is stored."""
