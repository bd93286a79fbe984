"""The local platform: one process on loopback that speaks the AWS wire protocols."""
