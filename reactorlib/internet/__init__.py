"""The parts that touch the outside: reactor, transports, Deferreds, endpoints."""
