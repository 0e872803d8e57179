"""Lab containers: the Docker spawner, its start queue, image profiles, resource limits and progress messages."""
