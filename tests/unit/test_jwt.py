"""JSON Web Tokens: which hold, and every known way to pass one off."""

from __future__ import annotations

import base64
import hmac
import json
import sys
import time
from math import isfinite

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from sse_server.config import Config, ConfigError
from sse_server.guards.jwt import LEEWAY_S, Verifier, verifier_of

SECRET = "a secret of the issuer, 32 bytes or more"


def pem_of(key):
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@pytest.fixture(scope="module")
def keys():
    """Private keys by the algorithm they sign with; RSA keys are slow to make."""
    return {
        "RS256": rsa.generate_private_key(65537, 2048),
        "ES256": ec.generate_private_key(ec.SECP256R1()),
        "ES384": ec.generate_private_key(ec.SECP384R1()),
        "EdDSA": ed25519.Ed25519PrivateKey.generate(),
    }


@pytest.fixture
def verifier(tmp_path):
    def make(key, **options):
        path = tmp_path / "key"
        path.write_bytes(key if isinstance(key, bytes) else key.encode())
        return Verifier(str(path), **options)

    return make


def claims(**more):
    return {"sub": "alice", "exp": int(time.time()) + 600, **more}


def part(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def test_a_token_that_never_ends_has_an_end_all_the_same(verifier):
    claim = verifier(SECRET).claim(jwt.encode(claims(exp=10**400), SECRET, "HS256"))
    assert claim is not None
    assert isfinite(claim.until_s)


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "ES384", "EdDSA"])
def test_a_token_signed_with_the_private_key_names_its_subject(keys, verifier, algorithm):
    key = keys["RS256" if algorithm == "PS256" else algorithm]
    assert verifier(pem_of(key)).claim(jwt.encode(claims(), key, algorithm)).subject == "alice"


def test_a_token_signed_with_the_secret_names_its_subject(verifier):
    assert verifier(SECRET).claim(jwt.encode(claims(), SECRET, "HS256")).subject == "alice"


def test_a_token_without_a_signature_names_nobody(keys, verifier):
    for alg in ("none", "None", "NONE", ""):
        for signature in ("", "x"):
            token = f"{part({'alg': alg, 'typ': 'JWT'})}.{part(claims())}.{signature}"
            assert verifier(SECRET).claim(token) is None
            assert verifier(pem_of(keys["RS256"])).claim(token) is None


def test_a_public_key_is_no_secret(keys, verifier):
    """Key confusion: everyone has the public key, and HS256 under its bytes would be anyone's signature."""
    for key in keys.values():
        for secret in (pem_of(key), pem_of(key).strip()):
            body = f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part(claims())}"
            mac = base64.urlsafe_b64encode(hmac.digest(secret, body.encode(), "sha256")).rstrip(b"=").decode()
            assert verifier(pem_of(key)).claim(f"{body}.{mac}") is None


def test_the_key_chooses_the_algorithm_not_the_token(keys, verifier):
    for name, key in keys.items():
        for other, foreign in keys.items():
            token = jwt.encode(claims(), foreign, other)
            assert (verifier(pem_of(key)).claim(token) is not None) == (name == other)
    assert verifier(SECRET).claim(jwt.encode(claims(), SECRET * 2, "HS512")) is None


def test_a_key_that_the_token_brings_along_is_not_used(keys, verifier):
    mine = ec.generate_private_key(ec.SECP256R1())
    public = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(mine.public_key()))
    for header in ({"jwk": public}, {"jku": "http://127.0.0.1/keys"}, {"kid": "../../dev/null"}, {"x5u": "x"}):
        assert verifier(pem_of(keys["ES256"])).claim(jwt.encode(claims(), mine, "ES256", header)) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"exp": int(time.time()) - LEEWAY_S - 60},
        {"exp": None},
        {"exp": "tomorrow"},
        {"exp": float("inf")},
        {"exp": [1]},
        {"nbf": int(time.time()) + 3600},
        {"iat": int(time.time()) + 3600},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"sub": ["alice"]},
        {"sub": "x" * 201},
        {"sub": "alice\nroot"},
        {"aud": "another server"},
    ],
)
def test_a_claim_that_does_not_hold_names_nobody(verifier, wrong):
    said = {name: value for name, value in claims(**wrong).items() if value is not None}
    body = f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part(said)}"
    mac = base64.urlsafe_b64encode(hmac.digest(SECRET.encode(), body.encode(), "sha256")).rstrip(b"=").decode()
    assert verifier(SECRET).claim(f"{body}.{mac}") is None


def test_audience_and_issuer_are_asked_for_where_they_are_set(verifier):
    strict = verifier(SECRET, audience="sse", issuer="https://id.example")
    good = {"aud": ["x", "sse"], "iss": "https://id.example"}
    assert strict.claim(jwt.encode(claims(**good), SECRET, "HS256")).subject == "alice"
    for wrong in ({"aud": "x"}, {"iss": "https://evil.example"}):
        assert strict.claim(jwt.encode(claims(**{**good, **wrong}), SECRET, "HS256")) is None
    for missing in good:
        rest = {name: value for name, value in good.items() if name != missing}
        assert strict.claim(jwt.encode(claims(**rest), SECRET, "HS256")) is None


@pytest.mark.parametrize("token", ["", ".", "..", "a.b.c", "x" * 100_000, "\udcff.\udcff.", "é.é.é", "[].{}.x"])
def test_what_is_no_token_names_nobody(verifier, token):
    assert verifier(SECRET).claim(token) is None


def test_a_changed_token_names_nobody(verifier):
    head, body, mac = jwt.encode(claims(), SECRET, "HS256").split(".")
    other = part(claims(sub="root"))
    for token in (f"{head}.{other}.{mac}", f"{head}.{body}.{mac[::-1]}", f"{head}.{body}.", f"{head}.{body}"):
        assert verifier(SECRET).claim(token) is None


def test_keys_that_would_be_weak_are_refused(verifier, keys):
    weak = rsa.generate_private_key(65537, 1024)  # noqa: S505 - it is refused
    private = keys["ES256"].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for key, says in (
        (b"short", "at least 32"),
        (pem_of(weak), "2048 bits"),
        (pem_of(ec.generate_private_key(ec.SECP256K1())), "not used"),
        (private, "private key"),
        (b"-----BEGIN PUBLIC KEY-----\nnonsense\n-----END PUBLIC KEY-----", "no public key"),
    ):
        with pytest.raises(ConfigError, match=says):
            verifier(key)
    with pytest.raises(ConfigError, match="cannot read"):
        Verifier("/nonexistent/key")
    with pytest.raises(ConfigError, match="need --jwt-key-file"):
        verifier_of(Config(jwt_audience="sse"))
    assert verifier_of(Config()) is None


@pytest.mark.parametrize("form", ["der", "base64", "ssh", "json", "comment"])
def test_a_public_key_in_another_form_is_no_secret(keys, verifier, form):
    """Else whoever has the public key, and all may, signs tokens with it."""
    public = keys["RS256"].public_key()
    der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    written = {
        "der": der,
        "base64": base64.encodebytes(der),
        "ssh": public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH),
        "json": json.dumps({"keys": [{"kty": "RSA", "n": "x" * 40}]}).encode(),
        "comment": b"# the issuer's\n" + pem_of(keys["RS256"]),
    }
    with pytest.raises(ConfigError, match="PEM form"):
        verifier(written[form])


def test_without_pyjwt_it_says_what_to_install(monkeypatch, verifier):
    monkeypatch.setitem(sys.modules, "jwt", None)
    with pytest.raises(ConfigError, match="pip install"):
        verifier(SECRET)
