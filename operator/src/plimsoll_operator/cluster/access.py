"""How to reach the apiserver and as whom: a kubeconfig when one is named, else the pod's own service account.

The environment's HTTP proxies do not count in a cluster, whose addresses are not theirs to serve, and for a person's
commands they do. A kubeconfig's `proxy-url` always does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aiohttp import ClientRequest
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.config import ConfigException, load_incluster_config, load_kube_config
from yaml import YAMLError


class AccessError(Exception):
    """No usable way to the apiserver; the message says what to set."""


@dataclass(frozen=True)
class Credentials:
    """What an HTTP client needs to talk to the apiserver, as it stands now. Never logged."""

    server: str
    ca_file: str | None
    certificate_file: str | None
    key_file: str | None
    authorization: str | None
    verify_tls: bool
    proxy: str | None

    def __repr__(self) -> str:
        return f"Credentials(server={self.server!r})"


@dataclass(frozen=True)
class Access:
    """Where the credentials come from. They are read anew each time: tokens expire, and files are replaced."""

    kubeconfig: str = ""
    context: str = ""
    """Empty for the kubeconfig's current one."""
    environment_proxies: bool = False

    async def configuration(self, request_class: type[ClientRequest] = ClientRequest) -> Any:
        """A `kubernetes.aio` configuration; in a cluster it re-reads its token file every minute by itself.

        `request_class` is what its sessions make their requests of. Raises AccessError.
        """
        session = {"trust_env": self.environment_proxies, "request_class": request_class}
        configuration = Configuration(client_session_kwargs=session)
        try:
            if self.kubeconfig:
                await load_kube_config(  # type: ignore[no-untyped-call]
                    config_file=self.kubeconfig,
                    context=self.context or None,
                    client_configuration=configuration,
                    persist_config=False,
                )
            else:
                load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
        except (ConfigException, OSError, YAMLError, AttributeError, TypeError) as error:
            # The last two are what the client raises when the file holds something other than a mapping.
            raise AccessError(self._explain(error)) from error
        return configuration

    async def credentials(self) -> Credentials:
        """The same for another client. Raises AccessError."""
        configuration = await self.configuration()
        if configuration.tls_server_name:
            raise AccessError(f"{self.kubeconfig}: tls-server-name is not supported; use the name in the certificate")
        return Credentials(
            server=configuration.host,
            ca_file=configuration.ssl_ca_cert,
            certificate_file=configuration.cert_file,
            key_file=configuration.key_file,
            authorization=configuration.api_key.get("BearerToken"),
            verify_tls=configuration.verify_ssl,
            proxy=configuration.proxy,
        )

    def _explain(self, error: Exception) -> str:
        if self.kubeconfig:
            return f"KUBECONFIG={self.kubeconfig}: expected a readable kubeconfig with a current context: {error}"
        return f"expected to run in a pod with a service account, or KUBECONFIG set: {error}"
