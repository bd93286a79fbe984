"""What is raised for an artifact that cannot be used."""


class ArtifactError(ValueError):
    """An artifact is incomplete, corrupt, or of another version; the text is for people."""
