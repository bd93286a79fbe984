"""Application Auto Scaling: targets and policies of endpoints."""
