"""What a program of the container raises for a mistake of its user."""


class ContainerError(Exception):
    """A job's configuration or data cannot be used; the text is the job's failure reason."""
