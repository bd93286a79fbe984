"""How a container's program is started: one interface, and what implements it."""
