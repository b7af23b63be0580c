"""What operators look up. Never the text of a message, never an e-mail address."""
