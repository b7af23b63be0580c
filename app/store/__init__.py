"""The send path's batched writer, and the reading side: pages and inbox, from the cache where Postgres proves them."""
