"""REST: one module a concept, Controllers with their request structs beside them. A handler is one sentence."""
