"""Where a model is reached, under which name and with which key: read once from the environment.

A key goes to the address that was set and nowhere else, and an address carries no key.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from yarl import URL

from workers.granulator.providers.failure import ProviderError, ProviderFault
from workers.granulator.providers.secret import Secret, UnusableSecret, secret_from


@dataclass(frozen=True, slots=True)
class Vendor:
    """Whose wire format it is: the provider's name, what its variables begin with, and what holds where they are not
    set."""

    name: str
    prefix: str
    base: str
    model: str

    @property
    def key_variable(self) -> str:
        return f"{self.prefix}_API_KEY"

    @property
    def base_variable(self) -> str:
        return f"{self.prefix}_BASE_URL"

    @property
    def model_variable(self) -> str:
        return f"{self.prefix}_MODEL"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One model at one address. A server of one's own may need no key."""

    vendor: Vendor
    base: URL
    model: str
    key: Secret | None

    @property
    def name(self) -> str:
        return self.vendor.name

    @property
    def is_vendors(self) -> bool:
        """Whether it is the vendor's own service, not one that speaks its format."""
        return self.base.host == URL(self.vendor.base).host

    def redacted(self, text: str) -> str:
        """What a server or a library says, without the key."""
        return text if self.key is None else self.key.redacted(text)


def endpoint_from(environment: Mapping[str, str], vendor: Vendor) -> Endpoint:
    """The vendor's endpoint as VENDOR_API_KEY[_FILE], VENDOR_BASE_URL and VENDOR_MODEL say.

    Raises ProviderError `provider_unconfigured` where there is no key, or one that cannot be used, or a wrong address.
    """
    try:
        key = secret_from(environment, vendor.key_variable)
    except UnusableSecret as error:
        raise ProviderError(ProviderFault.UNCONFIGURED, f"{vendor.name} cannot be used: {error}") from None
    given = environment.get(vendor.base_variable)
    if key is None and not given:
        variable = vendor.key_variable
        raise ProviderError(
            ProviderFault.UNCONFIGURED, f"{vendor.name} has no key: set {variable} or {variable}_FILE for the worker"
        )
    model = environment.get(vendor.model_variable) or vendor.model
    return Endpoint(vendor, _base(given or vendor.base, vendor), model, key)


def _base(given: str, vendor: Vendor) -> URL:
    try:
        base = URL(given.rstrip("/"))
    except ValueError:
        base = URL()
    if base.scheme not in ("http", "https") or not base.host or base.user or base.password or base.query_string:
        raise ProviderError(
            ProviderFault.UNCONFIGURED,
            f"{vendor.name} has no usable address: set {vendor.base_variable} to a plain URL, such as {vendor.base}",
        )
    return base
