"""What a fresh chat on one machine begins with: its first operator, the guide's account, the conversation "Welcome"."""
