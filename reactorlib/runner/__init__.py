"""Programs that other programs run under: a monitor of processes, and an inetd."""
