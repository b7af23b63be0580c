"""REST API: one module per concept, with controllers and request structs. A handler makes one call to the domain."""
