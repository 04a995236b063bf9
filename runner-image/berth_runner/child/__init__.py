"""What happens inside the process that executes a tenant's code."""
