"""What the console scripts run."""
