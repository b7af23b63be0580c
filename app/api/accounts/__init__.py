"""Routes of accounts: login, profile, second factors, mailed links, search for users."""
