"""The server of the hosting contract: transport, workers, metrics; scoring is elsewhere."""
