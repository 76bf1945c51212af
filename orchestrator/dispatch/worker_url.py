"""Which URLs a worker may register. Where one leads is checked when a call is made, by `outbound`."""

from yarl import URL

from orchestrator.core.requests import RegistrationRefused


def check_worker_url(url: str) -> None:
    """Raises `RegistrationRefused` for one that cannot be used."""
    try:
        parsed = URL(url)
    except ValueError as error:
        raise RegistrationRefused("url", f"{url} is not a URL: {error}") from None
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise RegistrationRefused("url", f"{url} is not an http or https URL with a host")
    if parsed.user or parsed.password or parsed.query_string or parsed.fragment:
        raise RegistrationRefused("url", "credentials, a query or a fragment are not allowed in a worker's URL")
