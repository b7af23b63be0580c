"""Look-ups and traces for operators. Results contain no text of messages and no e-mail addresses."""
