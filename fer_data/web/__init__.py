"""Pages and servers on this machine: templates, the local server, its guard."""
