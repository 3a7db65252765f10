"""A provider whose machines are files: it passes the contract of tests/contract where no machine must really run."""
