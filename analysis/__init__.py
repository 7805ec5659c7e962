"""Reads run folders: tables and figures. Knows topologies, never the simulator."""
