"""The story of one project, act by act: what each person does, and what they check afterwards.

Everybody speaks to the cloud as people do (boto3, git, HTTP, the project's own commands); nothing here looks inside
it. Each act raises StoryError with a sentence for the reader when something is not as it must be.
"""

from __future__ import annotations

import json
import re
import secrets
import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from rehearsal.cloud.cloud import Cloud
from rehearsal.mailbox import Mailbox
from rehearsal.people import People
from rehearsal.person import REPOSITORY_ROOT, Person
from rehearsal.progress import ActRecord, Progress
from rehearsal.watch import PipelineWatch, StoryError, wait_until

PROJECT_NAME = "claims-fraud"


def must(condition: object, sentence: str) -> None:
    """Raise StoryError with the sentence unless the condition holds."""
    if not condition:
        raise StoryError(sentence)


@dataclass
class Project:
    """What later acts know of the launched project."""

    name: str
    id: str = ""
    outputs: dict[str, str] = field(default_factory=dict)
    package_versions: list[str] = field(default_factory=list)

    @property
    def prefix(self) -> str:
        return f"sagemaker-{self.name}-{self.id}"

    @property
    def group(self) -> str:
        return f"{self.name}-{self.id}"

    def endpoint(self, stage: str) -> str:
        return f"{self.name}-{stage}"


class Story:
    """Plays the acts in order on a running cloud."""

    def __init__(self, cloud: Cloud, people: People, progress: Progress) -> None:
        self.progress = progress
        self.cloud = cloud
        self.studio_role_arn = people.studio_role_arn
        self.engineer = Person("platform-engineer", cloud, people.platform_engineer)
        self.scientist = Person("data-scientist", cloud, people.data_scientist)
        self.project = Project(PROJECT_NAME)
        self.mailbox: Mailbox | None = None
        self._second_version: Future[None] | None = None
        self.acts: tuple[tuple[str, Callable[[ActRecord], None]], ...] = (
            ("Publish", self.publish),
            ("Launch", self.launch),
            ("Build", self.build),
            ("Edit and push", self.edit_and_push),
            ("Approve", self.approve),
            ("Production", self.production),
        )

    def play(self) -> None:
        """All acts. The first that fails ends the story: the later ones stand on it.

        Work goes on while people decide: version 1 is approved while version 2 is still being built.
        """
        for number in (1, 2, 3):
            self._play(number)
        with ThreadPoolExecutor(1, "act 4") as meanwhile:
            self._second_version = meanwhile.submit(self._play, 4)
            self._play(5)
            self._play(6)

    def _play(self, number: int) -> None:
        name, act = self.acts[number - 1]
        with self.progress.act(number, name) as record:
            act(record)

    # ---- act 1

    def publish(self, act: ActRecord) -> None:
        """The platform engineer publishes the template; it is on offer in Studio."""
        self.engineer.run_aloud(
            lambda line: self.progress.say(f"  {line}"),
            sys.executable, "-m", "service_catalog", "publish", "--studio-role-arn", self.studio_role_arn,
            folder=REPOSITORY_ROOT,
        )  # fmt: skip
        catalog = self.engineer.client("servicecatalog")
        products = catalog.search_products_as_admin()["ProductViewDetails"]
        must(len(products) == 1, f"one product must be on offer, not {len(products)}")
        product = catalog.describe_product_as_admin(Id=products[0]["ProductViewSummary"]["ProductId"])
        tags = {tag["Key"]: tag["Value"] for tag in product["Tags"]}
        must(tags.get("sagemaker:studio-visibility") == "true", "the product lacks the tag that shows it in Studio")
        act.facts |= {
            "product": product["ProductViewDetail"]["ProductViewSummary"]["Name"],
            "version": product["ProvisioningArtifactSummaries"][-1]["Name"],
        }

    # ---- act 2

    def launch(self, act: ActRecord) -> None:
        """The data scientist launches a project from the product and owns two seeded repositories."""
        catalog, sagemaker = self.scientist.client("servicecatalog"), self.scientist.client("sagemaker")
        product = catalog.search_products()["ProductViewSummaries"][0]["ProductId"]
        version = catalog.describe_product(Id=product)["ProvisioningArtifacts"][-1]["Id"]
        made = sagemaker.create_project(
            ProjectName=self.project.name,
            ProjectDescription="Which insurance claims should be investigated?",
            ServiceCatalogProvisioningDetails={"ProductId": product, "ProvisioningArtifactId": version},
        )
        self.project.id = made["ProjectId"]
        self.progress.say(f"project {self.project.name} ({self.project.id}) is being created")

        def created() -> dict[str, Any] | None:
            described: dict[str, Any] = sagemaker.describe_project(ProjectName=self.project.name)
            details = described["ServiceCatalogProvisionedProductDetails"]
            if described["ProjectStatus"] == "CreateFailed":
                raise StoryError(f"the launch failed: {details.get('ProvisionedProductStatusMessage')}")
            return details if described["ProjectStatus"] == "CreateCompleted" else None

        details = wait_until(created, "the creation of the project")
        provisioned = catalog.describe_provisioned_product(Id=details["ProvisionedProductId"])
        record = catalog.describe_record(Id=provisioned["ProvisionedProductDetail"]["LastRecordId"])
        self.project.outputs = {each["OutputKey"]: each["OutputValue"] for each in record["RecordOutputs"]}
        topic = self.project.outputs["NotificationTopicArn"]
        self.mailbox = Mailbox(self.engineer.client, self.cloud.account, self.cloud.region, topic)

        codecommit = self.scientist.client("codecommit")
        for kind in ("modelbuild", "modeldeploy"):
            name = f"{self.project.prefix}-{kind}"
            branch = codecommit.get_branch(repositoryName=name, branchName="main")["branch"]
            self.progress.say(f"repository {name} is seeded (main at {branch['commitId'][:7]})")
        act.facts |= {"project": self.project.id, "outputs": self.project.outputs}

    # ---- act 3

    def build(self, act: ActRecord) -> None:
        """The first commit is built, tested, trained and registered; the approver hears of it."""
        self._first_deployment_is_skipped()
        self._follow_build(self._latest_execution(f"{self.project.prefix}-modelbuild"))
        package = self._newest_package()
        act.facts["pipeline seconds"] = self._pipeline_seconds()
        must(package["ModelApprovalStatus"] == "PendingManualApproval", "the package must wait for a person's approval")
        must(package["ModelMetrics"].get("ModelQuality"), "the package must carry its evaluation")
        must(package["DriftCheckBaselines"], "the package must carry its drift baselines")
        self.project.package_versions.append(package["ModelPackageArn"])
        act.facts |= {"version": package["ModelPackageVersion"], **self._metrics(package)}
        self._mail("waits for your approval", package["ModelPackageArn"].rpartition("/")[2])

    def _first_deployment_is_skipped(self) -> None:
        """A deploy pipeline starts when it is created, with nothing to deploy: that must not look like a failure."""
        pipeline = f"{self.project.prefix}-modeldeploy"
        watch = self._watch(pipeline, self._latest_execution(pipeline))
        watch.until_succeeded()
        states = self.scientist.client("codepipeline").get_pipeline_state(name=pipeline)["stageStates"]
        stages = {each["stageName"]: each.get("latestExecution", {}).get("status", "") for each in states}
        skipped = [name for name, status in stages.items() if status == "Skipped"]
        wanted = ["DeployStaging", "ApproveProduction", "DeployProduction"]
        must(skipped == wanted, f"with nothing approved, {wanted} must be skipped; the stages are {stages}")
        self.progress.say("nothing is approved yet: the deploy pipeline skipped its stages")

    # ---- act 4

    def edit_and_push(self, act: ActRecord) -> None:
        """The data scientist changes a hyperparameter and pushes: version 2, with untouched steps spared."""
        folder = self.scientist.home / "model-build"
        self.scientist.git("clone", "--quiet", self.project.outputs["ModelBuildCloneUrl"], str(folder))
        knobs = folder / "pipelines" / "knobs.py"
        before = knobs.read_text()
        after = re.sub(r"^MAX_DEPTH = (\d+)", lambda found: f"MAX_DEPTH = {int(found[1]) + 1}", before, flags=re.M)
        must(after != before, f"{knobs.name} has no MAX_DEPTH to change")
        knobs.write_text(after)
        pipeline = f"{self.project.prefix}-modelbuild"
        earlier = self._latest_execution(pipeline)
        self.scientist.git(
            "commit", "--quiet", "--all", "--message", "Let the trees grow one level deeper", folder=folder
        )
        self.scientist.git("push", "--quiet", "origin", "main", folder=folder)
        self.progress.say("pushed a changed hyperparameter")
        execution = wait_until(
            lambda: newest if (newest := self._latest_execution(pipeline)) != earlier else None,
            "a build for the push",
            30,
        )
        steps = self._follow_build(execution)
        cached = [step["StepName"] for step in steps if step.get("CacheHitResult")]
        must(cached == ["Preprocess"], f"only Preprocess must come from the cache, not {cached}")
        package = self._newest_package()
        must(package["ModelPackageVersion"] == 2, f"version 2 must be registered, not {package['ModelPackageVersion']}")
        self.project.package_versions.append(package["ModelPackageArn"])
        act.facts |= {"version": 2, "from cache": "Preprocess", **self._metrics(package)}

    # ---- act 5

    def approve(self, act: ActRecord) -> None:
        """Version 1 is approved while version 2 is on its way: exactly 1 is deployed to staging and tested there."""
        watch = self._approve_package(0)
        token = watch.until(lambda: self._approval_token(watch), "the question before production")
        must(token, "the pipeline must ask before production")
        self._serves("staging", self.project.package_versions[0])
        mail = self._mail("ApproveProduction", self.project.prefix)
        custom = json.loads(mail["text"])["approval"]["customData"]
        must("golden records" in custom, f"the approval message must carry the staging tests' figures, not {custom!r}")
        act.facts |= {"deployed": "version 1", "approver reads": custom}

    # ---- act 6

    def production(self, act: ActRecord) -> None:
        """A person says yes; production answers real claims. Then version 2 follows, and traffic shifts to it."""
        self._say_yes()
        act.facts |= self._claims_are_scored("prod", self.project.package_versions[0])
        if self._second_version is not None:
            self._second_version.result()
        watch = self._approve_package(1)
        watch.until(lambda: self._approval_token(watch), "the question before production")
        self._say_yes(watch)
        shifted = self._claims_are_scored("prod", self.project.package_versions[1])
        act.facts |= {"then": "version 2 by canary", "scored by version 2": shifted["claims scored"]}

    # ---- what several acts do

    def _watch(self, pipeline: str, execution: str, sagemaker_pipeline: str = "") -> PipelineWatch:
        person = self.scientist
        return PipelineWatch(
            person.client("codepipeline"),
            person.client("sagemaker"),
            person.client("codebuild"),
            person.client("logs"),
            self.progress,
            pipeline,
            execution,
            sagemaker_pipeline,
        )

    def _latest_execution(self, pipeline: str) -> str:
        listed = self.scientist.client("codepipeline").list_pipeline_executions(pipelineName=pipeline, maxResults=1)
        must(listed["pipelineExecutionSummaries"], f"{pipeline} was never started")
        return str(listed["pipelineExecutionSummaries"][0]["pipelineExecutionId"])

    def _follow_build(self, execution: str) -> list[dict[str, Any]]:
        self._watch(f"{self.project.prefix}-modelbuild", execution, self.project.group).until_succeeded()
        sagemaker = self.scientist.client("sagemaker")
        newest = sagemaker.list_pipeline_executions(PipelineName=self.project.group)["PipelineExecutionSummaries"][0]
        steps: list[dict[str, Any]] = sagemaker.list_pipeline_execution_steps(
            PipelineExecutionArn=newest["PipelineExecutionArn"], SortOrder="Ascending"
        )["PipelineExecutionSteps"]
        return steps

    def _pipeline_seconds(self) -> float:
        """How long the newest execution of the SageMaker pipeline took, as its own times say."""
        sagemaker = self.scientist.client("sagemaker")
        newest = sagemaker.list_pipeline_executions(PipelineName=self.project.group)["PipelineExecutionSummaries"][0]
        steps = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=newest["PipelineExecutionArn"])
        ended = max(step["EndTime"] for step in steps["PipelineExecutionSteps"])
        seconds: float = (ended - newest["StartTime"]).total_seconds()
        return round(seconds, 2)

    def _newest_package(self) -> dict[str, Any]:
        sagemaker = self.scientist.client("sagemaker")
        listed = sagemaker.list_model_packages(
            ModelPackageGroupName=self.project.group, SortBy="CreationTime", SortOrder="Descending"
        )["ModelPackageSummaryList"]
        must(listed, f"no model package was registered in {self.project.group}")
        described: dict[str, Any] = sagemaker.describe_model_package(ModelPackageName=listed[0]["ModelPackageArn"])
        return described

    def _metrics(self, package: dict[str, Any]) -> dict[str, object]:
        """The figures an approver reads, from the file the registry points at."""
        uri = package["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"]
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        document = json.loads(self.scientist.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read())
        measured = document["binary_classification_metrics"]
        return {name: round(measured[name]["value"], 3) for name in ("accuracy", "recall", "auc", "top_decile_lift")}

    def _mail(self, *words: str) -> dict[str, str]:
        mailbox = self.mailbox
        if mailbox is None:
            raise StoryError("there is no mailbox before the launch")
        mail = wait_until(lambda: mailbox.find(*words), f"a message about {' '.join(words)}", 20)
        self.progress.say(f"the approver got mail: {mail['text'].splitlines()[0][:110]}")
        return mail

    def _approve_package(self, index: int) -> PipelineWatch:
        pipeline = f"{self.project.prefix}-modeldeploy"
        before = self._latest_execution(pipeline)
        arn = self.project.package_versions[index]
        self.scientist.client("sagemaker").update_model_package(
            ModelPackageArn=arn, ModelApprovalStatus="Approved", ApprovalDescription="Good enough for the pilot"
        )
        self.progress.say(f"approved version {arn.rpartition('/')[2]}")
        execution = wait_until(
            lambda: newest if (newest := self._latest_execution(pipeline)) != before else None,
            "a deployment for the approval",
            30,
        )
        return self._watch(pipeline, execution)

    def _approval_token(self, watch: PipelineWatch) -> str | None:
        states = self.scientist.client("codepipeline").get_pipeline_state(name=watch.pipeline)["stageStates"]
        for stage in states:
            if stage["stageName"] == "ApproveProduction":
                if stage.get("latestExecution", {}).get("pipelineExecutionId") != watch.execution_id:
                    return None
                for action in stage["actionStates"]:
                    token: str | None = action.get("latestExecution", {}).get("token")
                    return token
        return None

    def _say_yes(self, watch: PipelineWatch | None = None) -> None:
        pipeline = f"{self.project.prefix}-modeldeploy"
        watch = watch or self._watch(pipeline, self._latest_execution(pipeline))
        token = self._approval_token(watch)
        self.scientist.client("codepipeline").put_approval_result(
            pipelineName=pipeline,
            stageName="ApproveProduction",
            actionName="ApproveProduction",
            result={"summary": "Figures and staging tests read", "status": "Approved"},
            token=token,
        )
        self.progress.say("a person approved production")
        watch.until_succeeded()

    def _serves(self, stage: str, package_arn: str) -> None:
        """The stage's endpoint is in service with exactly this package."""
        sagemaker = self.scientist.client("sagemaker")
        endpoint = sagemaker.describe_endpoint(EndpointName=self.project.endpoint(stage))
        must(endpoint["EndpointStatus"] == "InService", f"{endpoint['EndpointName']} is {endpoint['EndpointStatus']}")
        config = sagemaker.describe_endpoint_config(EndpointConfigName=endpoint["EndpointConfigName"])
        model = sagemaker.describe_model(ModelName=config["ProductionVariants"][0]["ModelName"])
        container = model.get("PrimaryContainer") or model["Containers"][0]
        found = container["ModelPackageName"]
        must(found == package_arn, f"{endpoint['EndpointName']} serves {found} instead of {package_arn}")

    def _claims_are_scored(self, stage: str, package_arn: str) -> dict[str, object]:
        """Claims nobody has seen before get a probability and a decision."""
        self._serves(stage, package_arn)
        claims = [
            {
                "customer_age": 31, "months_as_customer": 3, "claim_type": "theft", "channel": "web",
                "region": "south", "customer_sex": "M", "claim_amount": 12500.0, "prior_claims": 4,
                "police_report": 0, "report_delay_days": 21.0,
            },
            {
                "customer_age": 58, "months_as_customer": 210, "claim_type": "glass", "channel": "agent",
                "region": "north", "customer_sex": "F", "claim_amount": 420.0, "prior_claims": 0,
                "police_report": 1, "report_delay_days": 1.0,
            },
        ]  # fmt: skip
        answer = self.scientist.client("sagemaker-runtime").invoke_endpoint(
            EndpointName=self.project.endpoint(stage),
            ContentType="application/json",
            Accept="application/json",
            Body=json.dumps({"records": claims}),
            InferenceId=secrets.token_hex(8),
        )
        predictions = json.loads(answer["Body"].read())["predictions"]
        decisions = [each["decision"] for each in predictions]
        must(decisions == ["investigate", "pay"], f"the two claims must be told apart, not {predictions}")
        for claim, each in zip(claims, predictions, strict=True):
            self.progress.say(
                f"{stage} scored a {claim['claim_type']} claim over {claim['claim_amount']:.0f}: fraud probability "
                f"{each['fraud_probability']:.3f}, {each['decision']}"
            )
        return {
            "claims scored": ", ".join(f"{each['fraud_probability']:.3f} {each['decision']}" for each in predictions)
        }
