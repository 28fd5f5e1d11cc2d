"""JSON Web Tokens (RFC 7519): the one place that knows PyJWT and the keys it checks with."""

from __future__ import annotations

import base64
import logging
from contextlib import suppress
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from sse_server.config import ConfigError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

    from sse_server.config import Config

logger = logging.getLogger(__name__)

LEEWAY_S = 10
"""How far the clocks of issuer and server may be apart."""

MIN_SECRET_BYTES = 32
"""RFC 7518, section 3.2: a key of HS256 is at least as long as its hash."""

MIN_RSA_BITS = 2048
_MAX_SUBJECT = 200
_FAR_S = 1 << 40  # issuers write what they like, also what no float holds
_KEY_MARKS = (b"ssh-", b"ecdsa-", b"{", b"[", b"\xef\xbb\xbf")
_OTHER_FORM = (
    "the JWT key file holds a key in another form than PEM, which would count as a secret that everyone knows. "
    "Write the public key in PEM form (its first line is -----BEGIN PUBLIC KEY-----)"
)
_OF_CURVE = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}


class Claim(msgspec.Struct, frozen=True):
    """Whom a token names, and until when it holds (Unix time, with the leeway)."""

    subject: str
    until_s: float


class Verifier:
    """Checks tokens with one key. Which algorithms it takes follows from the key alone, never from a token.

    `key_file` holds a public key in PEM form (RSA, EC or Ed25519), else the shared secret of HS256. `audience` and
    `issuer` are required of each token where they are given. Raises ConfigError.
    """

    def __init__(self, key_file: str, audience: str = "", issuer: str = "") -> None:
        try:
            import jwt  # noqa: PLC0415 - an extra: servers without JWT need none
        except ImportError as error:
            raise ConfigError("--jwt-key-file needs PyJWT: pip install 'sse-widget[server]'") from error
        try:
            key = Path(key_file).read_bytes().strip()
        except OSError as error:
            raise ConfigError(f"cannot read the JWT key file: {error}") from error
        self._key: PublicKeyTypes | bytes
        self._key, self._algorithms = _public(key) if key.startswith(b"-----BEGIN") else _shared(key)
        self._audience = audience or None
        self._issuer = issuer or None
        self._jwt = jwt
        if isinstance(self._key, bytes):
            _check_secret(jwt, self._key)

    def claim(self, token: str) -> Claim | None:
        """Return what a token says, None for one that does not hold: forged, expired, of others, without `exp`."""
        if not token.isascii():
            return None
        try:
            claims = self._jwt.decode(
                token,
                self._key,  # type: ignore[arg-type] # a union of keys, of which _public lets the fitting ones through
                algorithms=self._algorithms,
                audience=self._audience,
                issuer=self._issuer,
                leeway=LEEWAY_S,
                options={"require": ["exp", "sub"]},
            )
        except (self._jwt.PyJWTError, ArithmeticError, TypeError, ValueError) as error:
            # The name of the fault alone: its text may repeat what the token says.
            logger.info("a JSON Web Token was refused: %s", type(error).__name__)
            return None
        subject = claims["sub"]
        fits = isinstance(subject, str) and 0 < len(subject) <= _MAX_SUBJECT and subject.isprintable()
        return Claim(subject, float(min(int(claims["exp"]), _FAR_S)) + LEEWAY_S) if fits else None


def verifier_of(config: Config) -> Verifier | None:
    """Return the verifier that the settings ask for, None for none."""
    if config.jwt_key_file:
        return Verifier(config.jwt_key_file, config.jwt_audience, config.jwt_issuer)
    if config.jwt_audience or config.jwt_issuer:
        raise ConfigError("--jwt-audience and --jwt-issuer need --jwt-key-file, for without a key no token holds")
    return None


def _shared(secret: bytes) -> tuple[bytes, list[str]]:
    if len(secret) < MIN_SECRET_BYTES:
        raise ConfigError(
            f"the JWT key file holds a secret of {len(secret)} bytes; HS256 needs at least {MIN_SECRET_BYTES}, or give "
            "the issuer's public key in PEM form"
        )
    return secret, ["HS256"]


def _check_secret(jwt: Any, secret: bytes) -> None:
    """Refuse what is a public key in another form: whoever has it, and all may, could sign tokens with it."""
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - of the same extra
    from cryptography.hazmat.primitives.serialization import load_der_public_key  # noqa: PLC0415
    from cryptography.x509 import load_der_x509_certificate  # noqa: PLC0415

    forms = [secret]
    with suppress(ValueError):
        forms.append(base64.b64decode(b"".join(secret.split()), validate=True))
    for form, load in product(forms, (load_der_public_key, load_der_x509_certificate)):
        with suppress(ValueError, TypeError, UnsupportedAlgorithm):
            load(form)
            raise ConfigError(_OTHER_FORM)
    if b"-----BEGIN" in secret or secret.startswith(_KEY_MARKS):
        raise ConfigError(_OTHER_FORM)
    try:
        jwt.encode({}, secret, "HS256")
    except jwt.PyJWTError as error:
        raise ConfigError(_OTHER_FORM) from error


def _public(pem: bytes) -> tuple[PublicKeyTypes, list[str]]:
    """Return a public key and its algorithms (RFC 7518, section 3.1; RFC 8037)."""
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey  # noqa: PLC0415 - of the same extra
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_public_key  # noqa: PLC0415

    if b"PRIVATE KEY" in pem:
        raise ConfigError("the JWT key file holds a private key; tokens are checked with the public one")
    try:
        key = load_pem_public_key(pem)
    except ValueError as error:
        raise ConfigError("the JWT key file holds no public key in PEM form (BEGIN PUBLIC KEY)") from error
    if isinstance(key, RSAPublicKey) and key.key_size >= MIN_RSA_BITS:
        return key, ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]
    if isinstance(key, EllipticCurvePublicKey) and key.curve.name in _OF_CURVE:
        return key, [_OF_CURVE[key.curve.name]]
    if isinstance(key, Ed25519PublicKey):
        return key, ["EdDSA"]
    raise ConfigError(
        f"the JWT key file holds a key that is not used: RSA of {MIN_RSA_BITS} bits or more, EC or Ed25519"
    )
