"""A page in a real browser that has no network: Debian's Chromium, headless, in a network namespace of its own.

Run as a program, inside such a namespace, it opens a page and prints what it saw as JSON:

    unshare --net python tests/support/browser.py PAGE FOLDER WIDTH light|dark
"""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Any

from debian_packages import install

from labbuilder.host.run import run

PACKAGES = ("chromium", "chromium-driver", "fonts-dejavu-core", "poppler-utils")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)
_PICTURES = """
const all = (from, what) => [...from.querySelectorAll(what)];
return all(document, 'svg[role=img]').map(svg => {
  const box = svg.getBoundingClientRect(), within = e => {
    const b = e.getBoundingClientRect();
    return b.left >= box.left - 1 && b.right <= box.right + 1 && b.top >= box.top - 1 && b.bottom <= box.bottom + 1;
  };
  const drawn = e => { const b = e.getBBox(); return b.width + b.height > 0; };
  const marks = all(svg, '.bar, .wait circle, .wait rect, .rung .line'), texts = all(svg, 'text');
  return {
    kind: svg.getAttribute('class'), width: box.width, height: box.height,
    named: svg.getAttribute('aria-labelledby').split(' ').map(id => document.getElementById(id).textContent.trim()),
    marks: marks.length, drawn: marks.filter(drawn).length,
    texts: texts.map(e => e.textContent.trim()),
    outside: texts.filter(e => !within(e)).map(e => e.textContent),
  };
});
"""
_PAGE = """
return {language: document.documentElement.lang, text: document.body.innerText,
        paper: getComputedStyle(document.body).backgroundColor,
        foreign: document.querySelectorAll('script, img, iframe, object, embed, form').length,
        wide: document.documentElement.scrollWidth - window.innerWidth,
        fill: getComputedStyle(document.querySelector('.bar')).fill};
"""


def look(page: Path, folder: Path, *, width: int = 1100, scheme: str = "light") -> dict[str, Any]:
    """What the browser saw of the page; ``folder`` gets shot.png and page.pdf."""
    install(*PACKAGES)
    inside = 'ip link set lo up; exec "$0" "$@"'  # the driver is spoken to over it
    argv = [sys.executable, __file__, str(page), str(folder), str(width), scheme]
    said = run("unshare", "--net", "sh", "-c", inside, *argv, timeout_s=120.0)
    found: dict[str, Any] = json.loads(said.stdout)
    return found


def _look(page: Path, folder: Path, width: int, scheme: str) -> dict[str, Any]:
    from selenium.webdriver import Chrome, ChromeOptions, ChromeService  # noqa: PLC0415  only inside the namespace
    from selenium.webdriver.common.print_page_options import PrintOptions  # noqa: PLC0415

    options = ChromeOptions()
    for flag in (*FLAGS, f"--user-data-dir={folder / 'profile'}", f"--window-size={width},900"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    with Chrome(options=options, service=ChromeService("/usr/bin/chromedriver")) as driver:
        medium = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", medium)
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}  # a window is 500 wide at least
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        driver.get(page.as_uri())
        seen = driver.execute_script(_PAGE) | {"pictures": driver.execute_script(_PICTURES)}
        told = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]  # type: ignore[no-untyped-call]
        console = driver.get_log("browser")  # type: ignore[no-untyped-call]
        shot = driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True})
        (folder / "shot.png").write_bytes(base64.b64decode(shot["data"]))
        (folder / "page.pdf").write_bytes(base64.b64decode(driver.print_page(PrintOptions())))
        asked = [event["params"] for event in told if event["method"] == "Network.requestWillBeSent"]
        found: dict[str, Any] = seen | {
            "console": [
                entry for entry in console if not entry["message"].startswith("chrome://")
            ],  # its own first tab
            "requests": [sent["request"]["url"] for sent in asked if not sent["documentURL"].startswith("chrome://")],
        }
        return found


if __name__ == "__main__":
    print(json.dumps(_look(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4])))
