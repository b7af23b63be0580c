"""The uvicorn server of a process, and the HTTP and WebSocket protocols that parse untrusted bytes before ASGI."""
