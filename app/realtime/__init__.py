"""Live delivery: the bus between processes, the hub, WebSocket connections and presence."""
