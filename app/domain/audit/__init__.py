"""The audit: who did what to whom, with the power of a role or of an operator. Written with the act, never changed."""
