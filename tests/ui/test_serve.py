"""`pilothouse serve`: where it listens, what it tells at the first start, and TLS."""

from __future__ import annotations

import http.client
import os
import re
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest

from tests.ui.homes import ROOT, Home
from tools.kernel.errors import InvalidInput
from tools.kernel.settings import Settings
from ui.listeners import check_address


@contextmanager
def serving(home: Path, **environment: str) -> Iterator[str]:
    """A gateway in the foreground, until the block ends; what it said when it was ready."""
    process = subprocess.Popen(
        [sys.executable, "-m", "ui.cli", "serve", "--port", "0"],
        cwd=ROOT,
        env={**os.environ, "PILOTHOUSE_HOME": str(home), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    said = ""
    try:
        while "Ctrl-C" not in said:
            line = process.stdout.readline()
            assert line, said
            said += line
        yield said
    finally:
        process.send_signal(signal.SIGINT)
        process.stdout.close()
        process.wait(30)


def _address(said: str) -> str:
    found = re.search(r"https?://\S+", said)
    assert found, said
    return found[0]


def _password(said: str) -> str | None:
    found = re.search(r"Password\s+(\S+)", said)
    return found[1] if found else None


def _sign_in(url: str, password: str, context: ssl.SSLContext | None = None) -> tuple[int, str]:
    parts = urlsplit(url)
    host = parts.netloc
    connection = (
        http.client.HTTPSConnection(host, timeout=30, context=context)
        if parts.scheme == "https"
        else http.client.HTTPConnection(host, timeout=30)
    )
    form = urlencode({"name": "admin", "password": password})
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Origin": url}
    connection.request("POST", "/login", form, headers)
    answer = connection.getresponse()
    told = answer.getheader("set-cookie") or ""
    connection.close()
    return answer.status, told


def test_the_first_start_tells_an_admins_password_once_and_keeps_it_nowhere(home: Path) -> None:
    with serving(home) as said:
        url, password = _address(said), _password(said)
        assert url.startswith("http://127.0.0.1:") and password
        assert _sign_in(url, password)[0] == 303
        assert _sign_in(url, password[:-1])[0] == 401
        again = Home(home).run("serve")
        assert again.returncode == 4 and "--replace" in again.stderr and url in again.stderr
        kept = b"".join(p.read_bytes() for p in home.rglob("*") if p.is_file())
        assert password.encode() not in kept
    with serving(home) as said:
        assert _password(said) is None


def _certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for localhost, of its own making."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    begins = datetime.now(UTC) - timedelta(days=1)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), False)
        .sign(key, hashes.SHA256())
    )
    cert, secret = folder / "cert.pem", folder / "key.pem"
    cert.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return cert, secret


def test_with_a_certificate_it_speaks_tls_and_commands_still_work(
    home: Path, tmp_path: Path
) -> None:
    cert, key = _certificate(tmp_path)
    tls = {
        "PILOTHOUSE_TLS_CERT": str(cert),
        "PILOTHOUSE_TLS_KEY": str(key),
        "PILOTHOUSE_HOST": "127.0.0.1",
    }
    with serving(home, **tls) as said:
        url, password = _address(said).replace("127.0.0.1", "localhost"), _password(said)
        assert url.startswith("https://") and password
        trusted = ssl.create_default_context(cafile=str(cert))
        status, cookie = _sign_in(url, password, trusted)
        assert status == 303
        assert cookie.startswith("__Host-pilothouse_session=") and "Secure" in cookie
        with pytest.raises(ssl.SSLError):
            _sign_in(url, password, ssl.create_default_context())
        assert Home(home).run("users").returncode == 0


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "gateway.example"])
def test_an_address_that_others_reach_needs_tls_or_an_explicit_word(
    home: Path, tmp_path: Path, host: str
) -> None:
    with pytest.raises(InvalidInput, match="no loopback address"):
        check_address(Settings(home=home, host=host))
    check_address(Settings(home=home, host=host, plain_http=True))
    cert, key = _certificate(tmp_path)
    check_address(Settings(home=home, host=host, tls_cert=cert, tls_key=key))


@pytest.mark.parametrize("given", [{"tls_cert": "/none"}, {"tls_key": "/none"}])
def test_half_a_pair_of_tls_files_is_refused(home: Path, given: dict[str, str]) -> None:
    with pytest.raises(InvalidInput, match="both"):
        check_address(Settings(home=home, **given))  # pyright: ignore[reportArgumentType]


def test_the_command_says_why_it_does_not_listen_for_others(home: Path) -> None:
    told = Home(home).run("serve", "--port", "0", "--host", "0.0.0.0")
    assert told.returncode == 2
    assert "no loopback address" in told.stderr and "PILOTHOUSE_TLS_CERT" in told.stderr
    assert "Traceback" not in told.stderr
