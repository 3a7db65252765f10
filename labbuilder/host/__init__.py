"""What stands on this host: commands, waiting, files, the journal, progress."""
