"""The pipeline of a project: built, submitted, watched."""
