"""CloudWatch Logs: what jobs, endpoints and functions wrote."""
