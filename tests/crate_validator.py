"""Validate an RO-Crate by roc-validator, offline: `python crate_validator.py CRATE` prints what is wrong with it.

The context of RO-Crate is the one that the package rocrate carries, which has the same terms at the same addresses.
"""

import json
import sys
from pathlib import Path

import requests
import rocrate
from requests.adapters import HTTPAdapter
from rocrate_validator import services

CONTEXT = (Path(rocrate.__file__).parent / "data/ro-crate.jsonld").read_bytes()


def send(_, request, **__):
    """Answer for w3id.org."""
    response = requests.Response()
    response.request, response.url = request, request.url
    response.status_code = 200 if request.url.startswith("https://w3id.org/ro/crate/1.1/context") else 404
    response.headers["Content-Type"], response._content = "application/ld+json", CONTEXT
    return response


HTTPAdapter.send = send
found = {}
for severity in ("REQUIRED", "RECOMMENDED"):
    settings = services.ValidationSettings(
        rocrate_uri=sys.argv[1],
        profile_identifier="process-run-crate-0.5",
        requirement_severity=severity,
        no_cache=True,
    )
    result = services.validate(settings)
    issues = [issue for issue in result.get_issues() if issue.severity.name == severity]
    found[severity] = sorted({f"{issue.violatingEntity}: {issue.message}" for issue in issues})
print(json.dumps(found))
