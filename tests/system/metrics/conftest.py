"""Two nodes: API processes in small, on one database and one Redis."""

from __future__ import annotations

from tests.support.nodes import fresh_node, node, nodes, running_nodes

__all__ = ["fresh_node", "node", "nodes", "running_nodes"]
