"""Volumes of the labs: homes, shared folders and quotas."""

SHARED_GID = 10100
"""Group that may write to shared folders; labs of teachers and administrators are members, whatever their user."""
SHARED_LABEL = "org.passerelle.project"
"""Label of shared folders' volumes: the deployment that they belong to."""
