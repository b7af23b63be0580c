"""The audit log: actions taken with a role's or an operator's rights. Written with the action, never changed."""
