"""Errors as the API answers them: problem details, codes, and all faults of a body at once."""
