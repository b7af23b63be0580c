"""Accounts as their owners change them: registration, mailed links, profile, closure; and suspension by operators."""
