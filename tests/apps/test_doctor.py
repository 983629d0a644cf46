"""What this machine has."""

from importlib.metadata import PackageNotFoundError

from lolblur_synth.apps.doctor import examine


def test_a_machine_that_can_make_a_dataset_is_in_order():
    findings = {finding.name: finding for finding in examine()}
    assert all(finding.in_order for finding in findings.values())
    assert findings["weights"].told.startswith("ec_zero_dce, ")
    assert " GB free" in findings["disk here"].told


def test_what_is_missing_is_not_in_order(monkeypatch):
    def version(package: str) -> str:
        raise PackageNotFoundError(package)

    monkeypatch.setattr("lolblur_synth.apps.doctor.version", version)
    findings = {finding.name: finding for finding in examine()}
    assert findings["torch"] == ("torch", "not installed", False)
    assert not findings["denoise"].in_order
