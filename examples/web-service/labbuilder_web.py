"""A web server on chosen machines of a lab: nginx with a page of one's own."""

from collections.abc import Iterator

from labbuilder import services as lb

PAGE, NGINX = "/var/www/html/index.html", "nginx"
ASK = "printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -N -w 3 127.0.0.1 80 | sed '1,/^\\r$/d'"


class Settings(lb.Model):
    """The section `services: {web: ...}` of the spec."""

    machines: tuple[str, ...] = ("server1",)
    """The machines that serve."""
    page: str = "It works."
    """What they serve."""


class Web(lb.Service):
    """nginx on some machines."""

    name, settings, packages, units = "web", Settings, (NGINX,), (lb.Unit(NGINX),)

    def steps(self, lab: lb.Plan, me: lb.MachinePlan) -> Iterator[lb.Step]:
        """Write the page, and switch nginx on."""
        web = lab.asked(Settings)
        if me.name in web.machines:
            page = lb.RenderedFile(PAGE, f"{web.page}\n")
            holds = f"systemctl -q is-active {NGINX} && systemctl -q is-enabled {NGINX}"
            apply = f"{lb.ENABLE} {NGINX}; {lb.RESTART.format(NGINX)}"
            yield lb.Step("web", "web server (nginx)", holds, apply, files=(page,))

    def checks(self, lab: lb.Plan, me: lb.MachinePlan) -> Iterator[lb.Check]:
        """Look at the daemon, and ask for the page."""
        web = lab.asked(Settings)
        if me.name in web.machines:
            yield lb.active(lab, me, NGINX, program=NGINX)
            yield lb.Check("web.page", me.name, "the web server gives its page", ASK, lb.says(web.page))

    def faults(self, lab: lb.Plan) -> Iterator[lb.Fault]:
        """Kill the first of the daemons."""
        for first in lab.asked(Settings).machines[:1]:
            kill = lb.Shell(
                first, f"systemctl kill -s KILL {NGINX}; systemctl stop {NGINX}", f"systemctl start {NGINX}"
            )
            yield lb.Fault("web-crash", f"the web server of {first} is killed", hits=(first,), steps=(kill,))

    def problems(self, spec: lb.LabSpec) -> Iterator[lb.Problem]:
        """Refuse machines that the lab has not."""
        there = [server.name for server in spec.servers] + [client.name for client in spec.clients]
        for index, name in enumerate(Settings.model_validate(spec.services[self.name]).machines):
            if name not in there:
                yield ("services", self.name, "machines", index), f"{name} is no machine of the lab"
