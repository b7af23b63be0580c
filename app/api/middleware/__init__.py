"""What runs before a route: hosts, origins, authentication, anonymous limits, paths, headers, deadlines."""
