"""Machines as system containers of an Incus server or cluster.

provider.py    the Provider of this kind
client.py      Incus's REST API, over its UNIX socket or HTTPS
remotes.py     the servers that are known, and by which certificate
streams.py     a command in a machine as a connection: the management SSH goes through it
relay.py       the same for OpenSSH, as its ProxyCommand
instances.py   what the lab has on the server, looked up and switched
networks.py    two bridges that reach over all members, or those that were made for the lab
world.py       the simulated world behind the bridged LAN, one container a lab
placement.py   which machine goes to which member
images.py      the machines' image, uploaded once to a server
pruning.py     removing it where nobody uses it
host.py        what the server has and lacks
words.py       what Incus says when it refuses
"""
