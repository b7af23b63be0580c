"""Rate limits in Redis, with a limiter in memory while Redis is down; guesses of passwords; usage counts."""
