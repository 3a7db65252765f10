"""Build, prove and break DHCP failover labs of real Debian machines."""

__version__ = "0.1.0"
