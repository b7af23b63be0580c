"""Events between processes. Each process delivers its own at once, without Redis."""
