"""What of infra/ needs an engine that is not here: that it reads well, fits together, and names flags that exist."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
import yaml

from sse_server import metrics
from sse_server.config import read_config

INFRA = Path(__file__).parents[2] / "infra"
GUIDES = sorted((INFRA / "guides").glob("*.md"))
KUBERNETES = ("redis.yaml", "server.yaml", "ingress.yaml")


def documents(*path):
    return list(yaml.safe_load_all(INFRA.joinpath(*path).read_text("utf-8")))


@pytest.fixture
def compose():
    (found,) = documents("docker-compose.yml")
    return found


def kind(name):
    return [found for file in KUBERNETES for found in documents("kubernetes", file) if found["kind"] == name]


def compose_flags():
    (found,) = documents("docker-compose.yml")
    return [re.sub(r"\$\{\w+:-(.*)\}", r"\1", flag) for flag in found["services"]["server1"]["command"]]


def kubernetes_flags():
    (deployment,) = kind("Deployment")
    return deployment["spec"]["template"]["spec"]["containers"][0]["args"]


def systemd_flags():
    unit = (INFRA / "systemd" / "sse-server.service").read_text("utf-8")
    _program, *flags = shlex.split(re.search(r"^ExecStart=(.*)$", unit, re.MULTILINE)[1])
    return flags


@pytest.mark.parametrize("flags", [compose_flags, kubernetes_flags, systemd_flags])
def test_the_server_takes_these_flags(flags):
    config = read_config(flags(), {})
    assert config.port == 8765
    assert config.token_file
    assert bool(config.secret_file) == config.log.startswith("redis:")  # nodes share what they sign with


def test_every_file_that_compose_names_is_here_but_the_secrets_that_nobody_may_commit(compose):
    named = [volume for service in compose["services"].values() for volume in service.get("volumes", [])]
    files = [volume.partition(":")[0] for volume in named if volume.startswith(".")]
    assert len(files) >= 5
    assert [file for file in files if not (INFRA / file).exists()] == []
    build = compose["services"]["server1"]["build"]
    assert (INFRA / build["context"] / build["dockerfile"]).exists()
    ignored = (INFRA.parent / ".gitignore").read_text("utf-8").split()
    for secret in compose["secrets"].values():
        assert f"/{(INFRA / secret['file']).resolve().relative_to(INFRA.parent)}" in ignored


def test_what_composes_services_need_is_declared(compose):
    services = compose["services"]
    for name, service in services.items():
        assert set(service.get("depends_on", [])) <= services.keys(), name
        assert set(service.get("networks", [])) <= compose["networks"].keys(), name
        assert set(service.get("secrets", [])) <= compose["secrets"].keys(), name
        held = {volume.partition(":")[0] for volume in service.get("volumes", []) if not volume.startswith(".")}
        assert held <= compose["volumes"].keys(), name
    asked = (INFRA / "nginx" / "compose.conf").read_text("utf-8")
    assert set(re.findall(r"^  server (\w+):8765;", asked, re.MULTILINE)) == {"server1", "server2"}
    (scraped,) = documents("prometheus", "prometheus.yml")
    (targets,) = [job["static_configs"][0]["targets"] for job in scraped["scrape_configs"]]
    assert {target.partition(":")[0] for target in targets} == {"server1", "server2"}


def test_what_the_dockerfile_copies_is_here_and_is_let_in():
    lines = (INFRA / "Dockerfile").read_text("utf-8").splitlines()
    copied = [line.split()[1:-1] for line in lines if line.startswith("COPY ") and "--from" not in line]
    names = [name for names in copied for name in names if name != "."]
    ignored = (INFRA / "Dockerfile.dockerignore").read_text("utf-8").split()
    let_in = [line[1:] for line in ignored if line.startswith("!")]
    assert ignored[0] == "*"
    for name in [*names, *let_in]:
        assert (INFRA.parent / name).exists(), name
        assert any(name == held or name.startswith(f"{held}/") for held in let_in), name


def test_kubernetes_objects_fit_together():
    (deployment,), (ingress,) = kind("Deployment"), kind("Ingress")
    pod = deployment["spec"]["template"]
    services = {service["metadata"]["name"]: service["spec"] for service in kind("Service")}
    (path,) = ingress["spec"]["rules"][0]["http"]["paths"]
    asked = path["backend"]["service"]
    spec = services[asked["name"]]
    assert spec["selector"].items() <= pod["metadata"]["labels"].items()
    assert asked["port"]["name"] in {port["name"] for port in spec["ports"]}
    (container,) = pod["spec"]["containers"]
    assert {port["targetPort"] for port in spec["ports"]} <= {port["name"] for port in container["ports"]}
    (redis,) = [flag for flag in container["args"] if flag.startswith("--log=")]
    assert re.fullmatch(r"--log=redis://(\w+):6379/0", redis)[1] in services
    (kustomization,) = documents("kubernetes", "kustomization.yaml")
    assert tuple(kustomization["resources"]) == KUBERNETES
    assert [image["name"] for image in kustomization["images"]] == [container["image"]]
    for mount in container["volumeMounts"]:
        assert mount["name"] in {volume["name"] for volume in pod["spec"]["volumes"]}


def test_a_pod_lives_longer_than_its_drain_takes():
    (deployment,) = kind("Deployment")
    spec = deployment["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    drain = container["lifecycle"]["preStop"]["exec"]["command"][-1]
    drain_s = int(re.search(r"monotonic\(\) \+ (\d+)", drain)[1])
    assert spec["terminationGracePeriodSeconds"] >= drain_s + 20


@pytest.mark.parametrize("document", ["README.md", "README.ar.md", *(f"infra/guides/{p.name}" for p in GUIDES)])
def test_every_link_of_a_guide_leads_to_a_file(document):
    place = INFRA.parent / document
    links = re.findall(r"\]\((?!https?:|#)([^)\s]+)\)", place.read_text("utf-8"))
    assert [link for link in links if not (place.parent / link.partition("#")[0]).exists()] == []


def served_metrics():
    """Return the name of every series that a server can have, after the table of its metrics module."""
    kinds = re.findall(r"^\| (`[^|]+) \| (\w+) \|", metrics.__doc__, re.MULTILINE)
    endings = {"histogram": ("_bucket", "_sum", "_count")}
    return {
        name + ending
        for names, kind in kinds
        for name in re.findall(r"`(sse_\w+)`", names)
        for ending in endings.get(kind, ("",))
    }


def expressions():
    board = json.loads((INFRA / "grafana" / "dashboards" / "sse-server.json").read_text("utf-8"))
    (rules,) = documents("prometheus", "alerts.yml")
    drawn = [target["expr"] for panel in board["panels"] for target in panel.get("targets", [])]
    return drawn + [rule["expr"] for group in rules["groups"] for rule in group["rules"]]


def test_dashboard_and_alerts_ask_for_figures_that_the_server_has():
    named = set(re.findall(r"\bsse_\w+", " ".join(re.sub(r'job="[^"]*"', "", e) for e in expressions())))
    assert len(named) > 15
    assert named - served_metrics() == set()


def test_the_dashboard_shows_every_figure_that_the_server_counts():
    drawn = " ".join(expressions())
    counted = {re.sub(r"_(bucket|sum|count)$", "", name) for name in served_metrics() if name.startswith("sse_")}
    assert {name for name in counted if name not in drawn} <= {"sse_server_info", "sse_log_streams"}
