"""The programs of the container; each module has ``run(paths)``."""
