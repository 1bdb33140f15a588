"""What `without_secrets` hides, and what it leaves as it is."""

from __future__ import annotations

import pytest

from sdsk8s.model.secrets import MASK, without_secrets

JWT = "eyJhbGciOiJIUzI1.eyJzdWIiOiIxMjM0.SflKxwRJSMeKKF2QT4f"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Authorization: Bearer abcdef123456", f"Authorization: Bearer {MASK}"),
        ("authorization: Basic YW5uOnNlY3JldA==", f"authorization: Basic {MASK}"),
        ("proxy http://ann:s3cret@p.example:3128", f"proxy http://ann:{MASK}@p.example:3128"),
        (f"token file says {JWT}", f"token file says {MASK}"),
        ("run login --password hunter22 -q", f"run login --password {MASK} -q"),
        ("run login --api-key=abc", f"run login --api-key={MASK}"),
        ("GRQ_ES_PASSWORD=abc123 sh -c x", f"GRQ_ES_PASSWORD={MASK} sh -c x"),
        ('{"password": "x y"}', f'{{"password": "{MASK} y"}}'),
        ("GET /x?token=abc&limit=5: 200", f"GET /x?token={MASK}&limit=5: 200"),
        ("clone https://ghp_" + "a" * 36 + "@github.com/x", f"clone https://{MASK}@github.com/x"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----",
         f"-----BEGIN RSA PRIVATE KEY-----{MASK}-----END RSA PRIVATE KEY-----"),
        ("GET /api/v1/namespaces/sds/secrets?limit=500: 200 in 3 ms", None),
        ("tokenizer: x, token_file=/run/token", None),
        ("GET /api/v1/pods?labelSelector=sdsk8s%2Fcomponent%3Dmozart: 200", None),
        ("http://host:9200/path@v1", None),
    ],
)  # fmt: skip
def test_forms_and_names(text: str, shown: str | None) -> None:
    assert without_secrets(text) == (text if shown is None else shown)


def test_values_are_hidden_in_every_form_that_they_take() -> None:
    value = 'p/a"ss wo+rd'
    for form in (value, "p%2Fa%22ss%20wo%2Brd", "p%2Fa%22ss+wo%2Brd", 'p/a\\"ss wo+rd'):
        assert without_secrets(f"x {form} y", [value]) == f"x {MASK} y"


def test_the_longer_value_goes_first() -> None:
    assert without_secrets("secret12", ["secret", "secret12"]) == MASK
