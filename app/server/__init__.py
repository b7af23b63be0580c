"""What uvicorn runs: the server of a process, and the protocols that read the bytes of strangers before ASGI does."""
