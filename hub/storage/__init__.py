"""Home volumes, shared folders and disk quotas."""
