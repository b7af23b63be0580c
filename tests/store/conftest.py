"""The cast in the database, the events of each commit, and two nodes."""

from __future__ import annotations

from tests.support.nodes import node, nodes, running_nodes
from tests.support.scene import database, scene, told

__all__ = ["database", "node", "nodes", "running_nodes", "scene", "told"]
