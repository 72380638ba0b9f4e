"""The synthesised catalog: what Studio and Service Catalog need, and nothing that must be installed to deploy it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from service_catalog.catalog import Catalog, Version, read_catalog, synthesise
from service_catalog.errors import PublishError

ROOT = Path(__file__).resolve().parents[2]
LAUNCH_ROLE = "arn:aws:iam::123456789012:role/MLOpsProjectLaunchRole"
CATALOG = Catalog(
    versions=(
        Version("1.0.0-aaaaaaaa", "https://seeds.s3.eu-west-1.amazonaws.com/template/project-a.yaml", "Packed from a"),
        Version("1.0.0-bbbbbbbb", "https://seeds.s3.eu-west-1.amazonaws.com/template/project-b.yaml", "Packed from b"),
    ),
    principals=("arn:aws:iam::123456789012:role/service-role/Studio", "arn:aws:iam::123456789012:role/Other"),
)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The real synthesis; it takes two seconds."""
    synthesised: dict[str, Any] = json.loads(synthesise(CATALOG, LAUNCH_ROLE, tmp_path_factory.mktemp("cdk")))
    return synthesised


def properties(template: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    resources = template["Resources"].values()
    return [resource["Properties"] for resource in resources if resource["Type"] == f"AWS::ServiceCatalog::{kind}"]


def test_the_product_is_visible_in_studio(template: dict[str, Any]) -> None:
    [product] = properties(template, "CloudFormationProduct")
    assert {"Key": "sagemaker:studio-visibility", "Value": "true"} in product["Tags"]


def test_every_version_is_a_template_by_address_and_none_is_ever_replaced(template: dict[str, Any]) -> None:
    [product] = properties(template, "CloudFormationProduct")
    assert product["ReplaceProvisioningArtifacts"] is False
    assert product["ProvisioningArtifactParameters"] == [
        {
            "Name": version.name,
            "Description": version.description,
            "Type": "CLOUD_FORMATION_TEMPLATE",
            "Info": {"LoadTemplateFromURL": version.template_url},
        }
        for version in CATALOG.versions
    ]


def test_projects_are_launched_by_the_launch_role_once_the_product_is_in_the_portfolio(
    template: dict[str, Any],
) -> None:
    [constraint] = properties(template, "LaunchRoleConstraint")
    assert constraint["RoleArn"] == LAUNCH_ROLE
    assert (constraint["PortfolioId"], constraint["ProductId"]) == ({"Ref": "Portfolio"}, {"Ref": "Product"})
    assert template["Resources"]["LaunchConstraint"]["DependsOn"] == ["ProductInPortfolio"]
    [offer] = properties(template, "PortfolioProductAssociation")
    assert offer == {"PortfolioId": {"Ref": "Portfolio"}, "ProductId": {"Ref": "Product"}}


def test_each_studio_role_has_access_and_not_before_the_launch_constraint(template: dict[str, Any]) -> None:
    accesses = properties(template, "PortfolioPrincipalAssociation")
    assert [access["PrincipalARN"] for access in accesses] == list(CATALOG.principals)
    assert {access["PrincipalType"] for access in accesses} == {"IAM"}
    depends = [item["DependsOn"] for name, item in template["Resources"].items() if name.startswith("StudioAccess")]
    assert depends == [["LaunchConstraint"], ["LaunchConstraint"]]


def test_identities_keep_their_logical_ids(template: dict[str, Any]) -> None:
    """Renaming one of these replaces it: launched projects would lose the product they came from."""
    assert template["Resources"]["Portfolio"]["Type"] == "AWS::ServiceCatalog::Portfolio"
    assert template["Resources"]["Product"]["Type"] == "AWS::ServiceCatalog::CloudFormationProduct"
    assert set(template["Outputs"]) == {"PortfolioId", "ProductId"}


def test_no_bootstrap_no_assets_no_telemetry(template: dict[str, Any]) -> None:
    assert set(template) == {"Description", "Resources", "Outputs"}
    types = {resource["Type"].split("::")[1] for resource in template["Resources"].values()}
    assert types == {"ServiceCatalog"}


def test_what_was_deployed_can_be_read_back(template: dict[str, Any]) -> None:
    assert read_catalog(template) == CATALOG
    assert read_catalog({}) == Catalog()


def test_a_template_of_another_make_is_refused(template: dict[str, Any]) -> None:
    foreign = json.loads(json.dumps(template))
    del foreign["Resources"]["Product"]["Properties"]["ProvisioningArtifactParameters"]
    with pytest.raises(PublishError, match=r"not made by this program.*ProvisioningArtifactParameters"):
        read_catalog(foreign)


def test_the_template_is_clean_under_cfn_lint(template: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "catalog.template.json"
    path.write_text(json.dumps(template))
    cfn_lint = Path(sys.executable).with_name("cfn-lint")
    command = [str(cfn_lint), "--include-checks", "I", "--regions", "eu-west-1", "--", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_synthesis_needs_no_node_on_the_path_and_writes_the_same_bytes_again(
    template: dict[str, Any], tmp_path: Path
) -> None:
    code = (
        "import sys; from pathlib import Path; import tests_catalog as t; "
        "sys.stdout.buffer.write(t.synthesise(t.CATALOG, t.LAUNCH_ROLE, Path(sys.argv[1])))"
    )
    code = code.replace("tests_catalog", Path(__file__).stem)
    environment = {name: value for name, value in os.environ.items() if name != "JSII_NODE"}
    environment |= {"PATH": "", "PYTHONPATH": os.pathsep.join([str(ROOT), str(Path(__file__).parent)])}
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "out")], capture_output=True, check=True, env=environment
    )
    assert json.loads(done.stdout) == template
    assert done.stderr == b""


def test_without_the_node_package_the_message_names_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("JSII_NODE", raising=False)
    monkeypatch.setattr("service_catalog.node._PACKAGE", "no-such-package")
    with pytest.raises(PublishError, match="no-such-package is not installed"):
        synthesise(CATALOG, LAUNCH_ROLE, tmp_path)
