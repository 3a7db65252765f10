"""The command line: parse, call, print, exit. It holds no logic."""
