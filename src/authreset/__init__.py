"""authreset: account recovery for platforms with many tenants."""
