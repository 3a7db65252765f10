"""What the operator of a failover pair sees and says."""
