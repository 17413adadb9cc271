"""Prometheus: scrapes every pod that asks for it by the usual annotations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from plimsoll_sandbox.components.component import Component
from plimsoll_sandbox.components.health import answers
from plimsoll_sandbox.config import Config
from plimsoll_sandbox.files import write_file

_POD = "__meta_kubernetes_pod"


def prometheus(config: Config) -> Component:
    """Needs the token of its ServiceAccount in `prometheus_token`."""
    configuration = config.layout.credentials / "prometheus.yaml"
    write_file(configuration, yaml.safe_dump(_configuration(config), sort_keys=False))
    command = (
        str(config.request.programs.prometheus),
        f"--config.file={configuration}",
        f"--storage.tsdb.path={config.layout.data / 'prometheus'}",
        "--storage.tsdb.retention.time=6h",
        "--storage.tsdb.retention.size=512MB",
        f"--web.listen-address=127.0.0.1:{config.network.ports['prometheus']}",
        "--log.level=warn",
    )
    return Component("prometheus", command, answers(f"{config.prometheus_url}/-/ready"))


def prometheus_token(config: Config) -> Path:
    return config.layout.credentials / "prometheus.token"


def _configuration(config: Config) -> dict[str, Any]:
    discovery = {
        "role": "pod",
        "api_server": config.apiserver_url,
        "tls_config": {"ca_file": str(config.authority)},
        "authorization": {"credentials_file": str(prometheus_token(config))},
    }
    job = {
        "job_name": "pods",
        # Labels that the pods give to their metrics themselves stay as they are.
        "honor_labels": True,
        "kubernetes_sd_configs": [discovery],
        "relabel_configs": _relabelling(),
    }
    return {"global": {"scrape_interval": "5s", "scrape_timeout": "4s"}, "scrape_configs": [job]}


def _relabelling() -> list[dict[str, Any]]:
    annotation = f"{_POD}_annotation_prometheus_io"
    return [
        {"source_labels": [f"{annotation}_scrape"], "regex": "true", "action": "keep"},
        {"source_labels": [f"{_POD}_phase"], "regex": "Pending|Succeeded|Failed|Completed", "action": "drop"},
        {"source_labels": [f"{annotation}_path"], "regex": "(.+)", "target_label": "__metrics_path__"},
        {
            "source_labels": [f"{_POD}_ip", f"{annotation}_port"],
            "regex": r"([^;]+);(\d+)",
            "replacement": "$1:$2",
            "target_label": "__address__",
        },
        {"source_labels": ["__meta_kubernetes_namespace"], "target_label": "namespace"},
        {"source_labels": [f"{_POD}_name"], "target_label": "pod"},
    ]
