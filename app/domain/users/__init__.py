"""People: accounts, logins, tokens, passwords."""
