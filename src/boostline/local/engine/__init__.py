"""Executes pipeline definitions and jobs; survives a restart of the platform."""
