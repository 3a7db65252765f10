"""How long no client can get an address when the primary's power is cut: on Kea, in hot standby."""

from labbuilder import Lab, report

with Lab("outage").add_server().add_server().add_client().failover(mode="hot-standby", engine="kea") as lab:
    result = lab.drill("power-cut")
    print(f"{result.outage:.1f} s" if result.outage is not None else "nobody was served until the repair")
    report.write([result], "outage.html")
