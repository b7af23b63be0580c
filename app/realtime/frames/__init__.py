"""Frames as they are on the wire, from clients and to them."""
