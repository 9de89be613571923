"""Every way in: the terminal, the platform process and its local API. Doors decide nothing."""
