"""The words themselves: (English, Spanish). The drills' English titles are the faults' own."""

from __future__ import annotations

TEXTS = {
    "passed": ("passed", "superado"),
    "failed": ("failed", "no superado"),
    "none": ("none", "ninguna"),
    "checks": ("{good} of {total} checks", "{good} de {total} comprobaciones"),
    "share": ("{value} % ({low}\u2013{high} %)", "{value} % ({low}\u2013{high} %)"),
    # outages
    "outage": ("outage", "sin servicio"),
    "outage_unasked": ("nobody asked", "nadie preguntó"),
    "outage_unanswered": ("till repair", "hasta reparar"),
    "outage_no_baseline": ("not measured", "no medida"),
    "note_below_resolution": (
        "≤: no longer than the resolution, so it can't be told from none.",
        "≤: no mayor que la resolución, así que no se distingue de ninguna.",
    ),
    "note_no_baseline": (
        "not measured: no client of the kind was answered before the fault, so there is nothing to count from.",
        "no medida: ningún cliente de esa clase tuvo respuesta antes del fallo, así que no hay desde dónde contar.",
    ),
    "kind_new": ("new clients", "clientes nuevos"),
    "kind_renew": ("renewals", "renovaciones"),
    "kind_rebind": ("rebinds", "reenlaces"),
    "clients": ("clients", "clientes"),
    "asked": ("asked", "piden"),
    "answered": ("answered", "reciben"),
    "longest_wait": ("longest wait", "espera mayor"),
    "resolution": ("resolution", "resolución"),
    # answers
    "acks": ("ACKs", "ACK"),
    "server": ("server", "servidor"),
    "before": ("before fault", "antes del fallo"),
    "during": ("till repair", "hasta reparar"),
    "after": ("after", "después"),
    "share_head": ("share (95 %)", "parte (95 %)"),
    # claims
    "claim_outage": ("new clients are served again within {limit}", "los clientes nuevos tienen servicio en {limit}"),
    "claim_duplicates": ("no address is held by two clients", "ninguna dirección la tienen dos clientes"),
    "claim_lost": ("no lease is lost", "no se pierde ninguna concesión"),
    "claim_verified": ("the repaired lab is proven", "el laboratorio reparado queda comprobado"),
    # events
    "event_fault": ("fault", "fallo"),
    "event_state": ("{machine}: {state}", "{machine}: {state}"),
    "event_takeover": ("the operator lets {machine} serve", "el operador deja servir a {machine}"),
    "event_repair": ("the fault is mended", "el fallo queda reparado"),
    "event_normal": ("both servers are as they should be", "los dos servidores están como deben"),
    # several
    "drill": ("drill", "simulacro"),
    "mode": ("mode", "modo"),
    "outage_of_new": ("outage of new clients", "interrupción de los clientes nuevos"),
    "total": ("{good} of {total} drills passed", "{good} de {total} simulacros superados"),
    "duplicates": ("dupl.", "dupl."),
    "lost": ("lost", "perd."),
    "verified": ("checks", "pruebas"),
}

DRILLS_ES = {
    "crash-primary": "se mata el servicio DHCP del primario (SIGKILL)",
    "stop-primary": "se para en orden el servicio DHCP del primario",
    "power-cut": "se corta la corriente del primario",
    "pause-primary": "se congela el primario",
    "cut-link": "se desenchufa el cable del primario a la red interna",
    "split-brain": "solo se bloquea la conexión de failover: los dos viven y no pueden hablarse",
    "both-down": "se matan los dos servicios DHCP y se vuelven a arrancar",
    "failback": "el primario vuelve después de un relevo",
    "disk-full": "se llena el sistema de ficheros de las concesiones del primario",
    "pool-exhausted": "una multitud toma todas las direcciones menos unas pocas",
}
