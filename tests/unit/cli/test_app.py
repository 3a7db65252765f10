"""The command line: help with examples, exit statuses, one JSON document, no traceback."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import labbuilder
from labbuilder.cli import app, lab

TESTS = Path(__file__).parents[2]
COMMANDS = [
    "up",
    "status",
    "verify",
    "plan",
    "render",
    "lint",
    "schema",
    "init",
    "ssh",
    "exec",
    "cp",
    "stop",
    "kill",
    "start",
    "pause",
    "resume",
    "reboot",
    "unplug",
    "plug",
    "logs",
    "console",
    "down",
    "list",
    "doctor",
    "snapshot:save",
    "snapshot:restore",
    "snapshot:list",
    "snapshot:delete",
    "failover:status",
    "failover:takeover",
    "failover:giveback",
    "failover:partner-down",
    "failover:share",
    "drill",
    "image:build",
    "image:list",
    "image:prune",
    "remote:add",
    "remote:list",
    "remote:remove",
]


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return {"LABBUILDER_HOME": str(tmp_path / "home"), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "COLUMNS": "100"}


def ask(env: dict[str, str], tmp_path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command in an empty folder."""
    return subprocess.run(
        [sys.executable, "-m", "labbuilder", *words], capture_output=True, text=True, env=env, cwd=tmp_path, check=False
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(env: dict[str, str], tmp_path: Path, command: str) -> None:
    said = ask(env, tmp_path, *command.split(":"), "--help")
    assert said.returncode == 0
    assert f"labbuilder {command.replace(':', ' ')}" in said.stdout.split("Examples:")[1]


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["up", "nowhere.yaml"], 2, "nowhere.yaml can't be read"),
        (["up", "--name", "../x"], 2, "'../x' is no name of a lab"),
        (["up", "--servers", "3"], 2, "at most 2"),
        (["up", "--provider", "xen"], 2, "provider: 'xen'"),
        (["up", "--mode", "fastest"], 2, "dhcp.failover.mode: 'fastest': input should be 'load-balancing'"),
        (["up", "--engine", "dnsmasq"], 2, "dhcp.failover.engine: 'dnsmasq': input should be 'isc' or 'kea'"),
        (["up", "--servers", "1", "--mode", "manual"], 2, "manual needs two servers; there is one"),
        (["failover", "takeover", "server2"], 2, "which lab?"),
        (["failover", "status", "--lab", "no"], 2, "there is no lab named no"),
        (["up", "--what"], 2, "No such option"),
        (["status"], 2, "which lab?"),
        (["verify", "--lab", "no"], 2, "there is no lab named no"),
        (["down"], 0, ""),
        (["down", "--lab", "no"], 0, ""),
        (["down", "--lab", ""], 2, "'' is no name of a lab"),
        (["list"], 0, ""),
    ],
)
def test_exit_status_and_words(env: dict[str, str], tmp_path: Path, words: list[str], code: int, told: str) -> None:
    said = ask(env, tmp_path, *words)
    assert said.returncode == code
    assert told in said.stderr
    assert "Traceback" not in said.stderr
    assert not (tmp_path / "home/labs/x").exists()
    assert list((tmp_path / "home").rglob("journal.jsonl")) == []


def test_a_lab_yaml_whose_lab_is_not_up_is_told_beside_the_labs_that_are(env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "lab.yaml").write_text("name: mine\n")
    (tmp_path / "home/labs/other").mkdir(parents=True)
    said = ask(env, tmp_path, "status")
    assert said.returncode == 2
    assert "the lab mine, which ./lab.yaml describes, is not up" in said.stderr
    assert "There is: other" in said.stderr
    assert "labbuilder up makes it; --lab other means another one" in said.stderr


def test_the_version_is_told_without_a_command(env: dict[str, str], tmp_path: Path) -> None:
    said = ask(env, tmp_path, "--version")
    assert (said.returncode, said.stdout) == (0, f"labbuilder {labbuilder.__version__}\n")


def test_an_error_is_one_json_document_when_asked(env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "lab.yaml").write_text("servers: [\n")
    said = ask(env, tmp_path, "up", "--json")
    assert json.loads(said.stdout)["exit_code"] == said.returncode == 2


def test_init_writes_a_spec_that_is_the_guides_and_never_overwrites(env: dict[str, str], tmp_path: Path) -> None:
    assert ask(env, tmp_path, "init").returncode == 0
    assert ask(env, tmp_path, "render", "out").returncode == 0
    (tmp_path / "empty").mkdir()
    guide = ask(env, tmp_path / "empty", "render", "../guide")
    assert guide.returncode == 0
    files = {p.relative_to(tmp_path / "out"): p.read_text() for p in (tmp_path / "out").rglob("*") if p.is_file()}
    assert len(files) > 20
    assert all((tmp_path / "guide" / path).read_text() == text for path, text in files.items())
    (tmp_path / "lab.yaml").write_text("mine")
    assert ask(env, tmp_path, "init").returncode == 2
    assert (tmp_path / "lab.yaml").read_text() == "mine"
    assert ask(env, tmp_path, "render", "out").returncode == 2


def test_what_is_written_is_told_as_json(env: dict[str, str], tmp_path: Path) -> None:
    assert json.loads(ask(env, tmp_path, "init", "--json").stdout) == ["lab.yaml"]
    written = json.loads(ask(env, tmp_path, "render", "out", "--json").stdout)
    assert sorted(written) == sorted(str(p.relative_to(tmp_path)) for p in (tmp_path / "out").rglob("*") if p.is_file())
    assert json.loads(ask(env, tmp_path, "image", "prune", "--json").stdout) == {"removed": [], "left": []}


def test_our_own_mistake_is_told_in_words_and_its_traceback_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LABBUILDER_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["labbuilder", "list"])
    monkeypatch.setattr(lab, "lab_names", lambda: 1 / 0)
    with pytest.raises(SystemExit) as end:
        app.main()
    said = capsys.readouterr().err
    assert end.value.code == 1
    assert "ZeroDivisionError" in said
    assert "Traceback" not in said
    assert "Traceback" in (tmp_path / "labbuilder.log").read_text()


def test_the_schema_and_the_completion_are_printed(env: dict[str, str], tmp_path: Path) -> None:
    assert json.loads(ask(env, tmp_path, "schema").stdout)["title"] == "labbuilder lab"
    assert "labbuilder" in ask(env | {"_LABBUILDER_COMPLETE": "source_bash"}, tmp_path).stdout


def test_help_imports_nothing_heavy() -> None:
    assert imported_with("labbuilder.cli.commands", "pydantic", "fabric", "jinja2", "yaml") == []


def test_a_look_at_a_virtual_lab_imports_nothing_that_only_making_one_needs() -> None:
    module = "labbuilder.lab, labbuilder.providers.vagrant.provider"
    assert imported_with(module, "fabric", "httpx", "pycdlib", "dpkt") == []


def test_the_lint_starts_without_what_the_labs_need() -> None:
    """Nor with typer, which imports pydantic as soon as it has a command to run."""
    pair = [str(TESTS / "golden/guide/expected" / name / "etc/dhcp/dhcpd.conf") for name in ("server1", "server2")]
    code = "import sys\nfrom labbuilder.cli import app\ntry: app.main()\nexcept SystemExit: print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", code, "lint", *pair], capture_output=True, text=True, check=True)
    modules = set(said.stdout.splitlines()[-1].split())
    assert not modules & {"fabric", "pydantic", "typer", "rich", "yaml", "jinja2", "httpx", "subprocess"}
    ours = {name.split(".")[1] for name in modules if name.startswith("labbuilder.")}
    assert ours == {"cli", "errors", "lint"}


def test_the_lints_contract_forbids_every_other_room() -> None:
    root = TESTS.parent
    contracts = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (contract,) = (c for c in contracts if c.get("source_modules") == ["labbuilder.lint"])
    rooms = {
        path.stem for path in (root / "labbuilder").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert {f"labbuilder.{room}" for room in rooms - {"lint", "errors", "__init__", "__main__"}} <= set(
        contract["forbidden_modules"]
    )


def imported_with(module: str, *heavy: str) -> list[str]:
    code = f"import json, sys, {module}; print(json.dumps([m for m in {heavy} if m in sys.modules]))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return list(json.loads(said.stdout))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("drill", "nosuch"), "there is no drill 'nosuch'"),
        (("drill", "crash-primary"), "which lab?"),
        (("drill", "crash-primary", "--lab", "nosuch"), "there is no lab named nosuch"),
        (("drill", "crash-primary", "--mode", "fast"), "fast"),
        (("drill", "crash-primary", "--engine", "dnsmasq"), "dnsmasq"),
        (("drill", "crash-primary", "--provider", "vmware"), "vmware"),
        (("drill", "--all", "crash-primary"), "don't go together"),
        (("drill", "--matrix", "--mode", "manual"), "--matrix takes every mode and engine"),
        (("drill", "crash-primary", "--report", "report.pdf"), "no report is written as '.pdf'"),
        (("drill", "crash-primary", "--language", "fr"), "no report is written in 'fr'"),
        (("drill", "crash-primary", "--limit", "-1"), "--limit must be more than 0 seconds"),
        (("drill", "--all", "--limit", "0"), "--limit must be more than 0 seconds"),
        (("drill", "--all", "--limit", "nan"), "--limit must be more than 0 seconds"),
        (("drill", "--mode", "hot-standby"), "--mode: of which drill?"),
        (("drill", "--seed", "1", "--limit", "0"), "--seed, --limit: of which drill?"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_drill_that_can_not_be_is_refused_before_anything_is_made(
    env: dict[str, str], tmp_path: Path, words: tuple[str, ...], told: str
) -> None:
    said = ask(env, tmp_path, *words)
    assert (said.returncode, said.stdout) == (2, "")
    assert told in said.stderr
    assert "Traceback" not in said.stderr
    assert not (tmp_path / "home/labs").exists()


def test_the_drills_are_listed(env: dict[str, str], tmp_path: Path) -> None:
    assert "crash-primary" in json.loads(ask(env, tmp_path, "drill", "--json").stdout)


@pytest.mark.parametrize("name", ["", ".", "..", "../labs/aula", "/"])
def test_down_of_what_is_no_lab_removes_nothing(env: dict[str, str], tmp_path: Path, name: str) -> None:
    kept = tmp_path / "home/labs/aula/journal.jsonl"
    kept.parent.mkdir(parents=True)
    kept.write_text('{"effect": "lab", "state": "begun", "data": {"provider": "nspawn", "mark": "abc"}}\n')
    done = ask(env, tmp_path, "down", "--lab", name)
    assert (done.returncode, done.stdout) == (2, "")
    assert "is no name of a lab" in done.stderr
    assert kept.exists()


MISTAKES = [
    (["up", "--what"], "No such option: --what"),
    (["up", "--clients"], "--clients"),
    (["up", "--clients", "many"], "Invalid value for '--clients'"),
    (["up", "--count", "0"], "Invalid value for '--count'"),
    (["up", "--no-verify=yes"], "does not take a value"),
    (["drill", "crash-primary", "--limit", "soon"], "Invalid value for '--limit'"),
    (["bring-up"], "No such command 'bring-up'"),
    (["failover", "give-back"], "No such command 'give-back'"),
    (["snapshot", "save"], "Missing argument 'NAME'"),
    (["stop"], "Missing argument 'NODE...'"),
    (["unplug", "server1", "wireless"], "'wireless' is not one of"),
    (["status", "aula"], "unexpected extra argument"),
    (["list", "a", "b"], "unexpected extra argument"),
    (["-x", "list"], "No such option: -x"),
    (["up", "-z"], "No such option: -z"),
    (["failover"], "labbuilder failover: which command?"),
    ([], "labbuilder: which command?"),
]


@pytest.mark.parametrize(
    ("words", "told"), MISTAKES, ids=lambda value: " ".join(value) if isinstance(value, list) else ""
)
def test_what_is_typed_wrong_is_told_as_every_mistake_is(
    env: dict[str, str], tmp_path: Path, words: list[str], told: str
) -> None:
    plain, asked = ask(env, tmp_path, *words), ask(env, tmp_path, *words, "--json")
    assert (plain.returncode, plain.stdout, asked.returncode, asked.stderr) == (2, "", 2, "")
    assert told in plain.stderr
    document = json.loads(asked.stdout)
    assert document["exit_code"] == 2
    assert document["error"] == "SpecError"
    assert told in document["brief"] or document["brief"].startswith("No such option: --json")


def test_what_stands_behind_two_hyphens_asks_for_nothing(env: dict[str, str], tmp_path: Path) -> None:
    said = ask(env, tmp_path, "exec", "--what", "server1", "--", "cat", "--json")
    assert (said.returncode, said.stdout) == (2, "")
    assert "No such option: --what" in said.stderr


def test_a_full_disk_under_what_is_printed_is_told(env: dict[str, str], tmp_path: Path) -> None:
    with open("/dev/full", "w") as full:
        argv = [sys.executable, "-m", "labbuilder", "schema"]
        said = subprocess.run(argv, stdout=full, stderr=subprocess.PIPE, text=True, env=env, cwd=tmp_path, check=False)
    assert said.returncode == 3
    assert said.stderr.startswith("error: ")
    assert "No space left on device" in said.stderr
    assert "Traceback" not in said.stderr


def test_who_stops_reading_is_no_error(env: dict[str, str], tmp_path: Path) -> None:
    line = f"set -o pipefail; {sys.executable} -m labbuilder schema | head -n 1"
    said = subprocess.run(["bash", "-c", line], capture_output=True, text=True, env=env, cwd=tmp_path, check=False)
    assert (said.returncode, said.stdout, said.stderr) == (0, "{\n", "")


@pytest.mark.parametrize("more", [[], ["--vagrantfile"]])
def test_a_file_is_no_folder_to_render_into(env: dict[str, str], tmp_path: Path, more: list[str]) -> None:
    (tmp_path / "notes").write_text("mine")
    said = ask(env, tmp_path, "render", "notes", *more, "--json")
    assert said.returncode == json.loads(said.stdout)["exit_code"] == 2
    assert (tmp_path / "notes").read_text() == "mine"


def test_an_unknown_provider_is_a_mistake_of_who_typed_it(env: dict[str, str], tmp_path: Path) -> None:
    said = ask(env, tmp_path, "doctor", "--provider", "bogus", "--json")
    assert said.returncode == json.loads(said.stdout)["exit_code"] == 2


def test_a_full_disk_under_a_json_document_is_told_on_stderr(env: dict[str, str], tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        words = [sys.executable, "-m", "labbuilder", "doctor", "--provider", "bogus", "--json"]
        said = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, env=env, cwd=tmp_path, check=False)
    assert said.returncode == 2
    assert "there is no provider 'bogus'" in said.stderr
    assert "Traceback" not in said.stderr


def test_a_letter_that_the_terminal_has_not_is_told_by_its_number(env: dict[str, str], tmp_path: Path) -> None:
    said = ask(env | {"PYTHONIOENCODING": "ascii"}, tmp_path, "status", "--lab", "ä")
    assert said.returncode == 2
    assert "\\xe4" in said.stderr
    assert "Traceback" not in said.stderr


def test_ctrl_c_while_modules_are_loaded_ends_without_words() -> None:
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); import labbuilder.__main__;"
        "assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_opens_a_server_is_not_kept_in_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["labbuilder", "remote", "add", "school", "--token", "s3cr3t"])
    assert app._without_secrets("add school --token s3cr3t") == "add school --token ***"
    monkeypatch.setattr(sys, "argv", ["labbuilder", "remote", "add", "school", "--token=s3cr3t"])
    assert "s3cr3t" not in app._without_secrets("failed with s3cr3t")
