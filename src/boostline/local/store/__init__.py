"""What the platform remembers: SQLite metadata, content-addressed objects, logs."""
