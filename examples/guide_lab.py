"""The lab of the guide as a library: up, proven, used, down."""

from labbuilder import Lab

lab = Lab("example").add_server().add_server().add_client().up()
try:
    lab.verify().raise_for_failures()
    print(lab.run("client1", "ip -4 -brief address show enp0s3").stdout, end="")
    print(lab.run("server1", "systemctl is-active isc-dhcp-server").stdout, end="")
finally:
    lab.down()
