"""Throttles for operators: policy changes at run time, usage counts, and estimates of what a limit would refuse."""
