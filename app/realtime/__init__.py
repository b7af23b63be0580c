"""What happens now: the bus between processes, this process's sockets, the cache, throttles and the writer."""
