#!/bin/sh
# Checks the manifests of docs/deploy: Kubernetes' against the schemas of its API, compose against those of its format as far as YAML and keys go.
# Needs Python; what it installs goes into a folder of its own that is removed.
set -eu
cd "$(dirname "$0")/.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder"
"$folder/bin/pip" install --quiet --disable-pip-version-check kubernetes-validate==1.37.0
"$folder/bin/kubernetes-validate" --strict docs/deploy/kubernetes/*.yaml
"$folder/bin/python" - <<'PYTHON'
import yaml

KNOWN = set(
    "image restart environment volumes depends_on command ports healthcheck stop_grace_period profiles ipc deploy".split()
)
compose = yaml.safe_load(open("docs/deploy/compose.yaml"))
named = set(compose["volumes"])
for name, service in compose["services"].items():
    unknown = set(service) - KNOWN
    assert not unknown, f"{name}: {unknown}"
    assert set(service.get("depends_on", {})) <= set(compose["services"]), name
    for volume in service.get("volumes", []):
        source = volume.split(":")[0]
        assert source.startswith(("/", "$", ".")) or source in named, f"{name}: {volume}"
print("compose.yaml: keys, services and volumes fit")
PYTHON
