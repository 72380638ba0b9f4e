"""The SageMaker pipeline: claims in, a registered model out.

    InputDataUrl
         │
    Preprocess ──────────────┐ test claims
         │ train, validation │
       Train ── model ───▶ Evaluate
                             │ evaluation.json
                        QualityGate
                   ≥ all  ╱      ╲  else
              RegisterModel    QualityGateFailed

Numbers to turn are in knobs.py, the scripts the steps run in ../steps. Building the pipeline calls nothing in AWS, and
the same code and settings give the same bytes, so SageMaker's step cache recognises a step whose code and inputs did
not change. That is why no step uses the SDK's own code upload: its S3 keys contain the time.
"""

from typing import Any

from sagemaker.core import image_uris
from sagemaker.core.drift_check_baselines import DriftCheckBaselines
from sagemaker.core.model_metrics import MetricsSource, ModelMetrics
from sagemaker.core.network import NetworkConfig
from sagemaker.core.processing import Processor
from sagemaker.core.shapes import (
    OutputDataConfig,
    ProcessingInput,
    ProcessingOutput,
    ProcessingS3Input,
    ProcessingS3Output,
    StoppingCondition,
)
from sagemaker.core.workflow.conditions import ConditionGreaterThanOrEqualTo
from sagemaker.core.workflow.execution_variables import ExecutionVariables
from sagemaker.core.workflow.functions import Join, JsonGet
from sagemaker.core.workflow.parameters import Parameter, ParameterFloat, ParameterInteger, ParameterString
from sagemaker.core.workflow.pipeline_context import PipelineSession
from sagemaker.core.workflow.properties import PropertyFile
from sagemaker.mlops.workflow.condition_step import ConditionStep
from sagemaker.mlops.workflow.fail_step import FailStep
from sagemaker.mlops.workflow.model_step import ModelStep
from sagemaker.mlops.workflow.pipeline import Pipeline
from sagemaker.mlops.workflow.retry import (
    SageMakerJobExceptionTypeEnum,
    SageMakerJobStepRetryPolicy,
    StepExceptionTypeEnum,
    StepRetryPolicy,
)
from sagemaker.mlops.workflow.steps import CacheConfig, ProcessingStep, TrainingStep
from sagemaker.serve.model_builder import ModelBuilder
from sagemaker.train import ModelTrainer
from sagemaker.train.configs import Compute, InputData, Networking

from pipelines import knobs, quality_gate
from pipelines.settings import UNKNOWN_COMMIT, Settings
from pipelines.uploads import StepCode

PROCESSING = "/opt/ml/processing"
PROCESSING_CODE = f"{PROCESSING}/input/code"
TRAINING_CODE = "/opt/ml/input/data/code"
BASE_DIR = ["--base-dir", "/opt/ml"]
# The image's serving stack finds inference.py by the first two. It also pip-installs the code as a package when it
# starts, which must not reach for the network: endpoints run isolated. (0 means "no isolation": pip reads it inverted.)
SERVING_ENVIRONMENT = {
    "SAGEMAKER_PROGRAM": "inference.py",
    "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
    "PIP_NO_BUILD_ISOLATION": "0",
}
CACHE = CacheConfig(enable_caching=True, expire_after=knobs.CACHE_EXPIRES_AFTER)
EVALUATION = PropertyFile(name="EvaluationReport", output_name="evaluation", path="evaluation.json")

RETRY_REQUEST = [
    StepRetryPolicy(
        exception_types=[StepExceptionTypeEnum.SERVICE_FAULT, StepExceptionTypeEnum.THROTTLING],
        interval_seconds=10,
        backoff_rate=2.0,
        max_attempts=5,
    )
]
RETRY_JOB = [
    *RETRY_REQUEST,
    SageMakerJobStepRetryPolicy(
        exception_types=[SageMakerJobExceptionTypeEnum.RESOURCE_LIMIT],
        failure_reason_types=[SageMakerJobExceptionTypeEnum.CAPACITY_ERROR],
        interval_seconds=60,
        backoff_rate=2.0,
        expire_after_mins=120,
    ),
    SageMakerJobStepRetryPolicy(
        failure_reason_types=[SageMakerJobExceptionTypeEnum.INTERNAL_ERROR],
        interval_seconds=60,
        backoff_rate=2.0,
        max_attempts=3,
    ),
]


def build_pipeline(settings: Settings, session: PipelineSession, default_input_url: str) -> Pipeline:
    """Put the steps together in the order of the drawing above."""
    parameters = pipeline_parameters(default_input_url)
    project = Project(settings, session, {parameter.name: parameter for parameter in parameters})

    step_preprocess = preprocess(project)
    step_train = train(project, step_preprocess)
    step_evaluate = evaluate(project, step_preprocess, step_train)
    step_register = register(project, step_preprocess, step_train, step_evaluate)
    step_fail = fail(project)
    step_gate = gate(project, step_register, step_fail)

    return Pipeline(
        name=settings.pipeline_name,
        parameters=parameters,
        steps=[step_preprocess, step_train, step_evaluate, step_gate],
        pipeline_experiment_config=None,  # Experiments would need more permissions and show nothing more here
        sagemaker_session=session,
    )


def pipeline_parameters(default_input_url: str) -> list[Parameter]:
    """What can be changed for one execution, with the defaults of knobs.py."""
    return [
        ParameterString("InputDataUrl", default_value=default_input_url),
        ParameterString("ProcessingInstanceType", default_value=knobs.PROCESSING_INSTANCE_TYPE),
        ParameterInteger("ProcessingInstanceCount", default_value=knobs.PROCESSING_INSTANCE_COUNT),
        ParameterString("TrainingInstanceType", default_value=knobs.TRAINING_INSTANCE_TYPE),
        ParameterInteger("TrainingInstanceCount", default_value=knobs.TRAINING_INSTANCE_COUNT),
        ParameterInteger("MaxDepth", default_value=knobs.MAX_DEPTH),
        ParameterFloat("LearningRate", default_value=knobs.LEARNING_RATE),
        ParameterInteger("NumRound", default_value=knobs.NUM_ROUND),
        *(ParameterFloat(each.parameter, default_value=each.minimum) for each in knobs.GATE),
        ParameterString(
            "ModelApprovalStatus",
            default_value=knobs.APPROVAL_STATUS,
            # Not Approved: that is for approvers to say, and the pipeline's role may not register it.
            enum_values=["PendingManualApproval", "Rejected"],
        ),
        # Recorded on the model. A parameter, so that a new commit does not change the definition.
        ParameterString("SourceCommit", default_value=UNKNOWN_COMMIT),
    ]


# --- the steps ------------------------------------------------------------------------------------------------------


def preprocess(project: "Project") -> ProcessingStep:
    processor = project.processor("preprocess.py")
    request = processor.run(
        inputs=[
            project.code_input("preprocess.py"),
            processing_input("raw", project.parameters["InputDataUrl"], f"{PROCESSING}/input/raw"),
        ],
        outputs=[project.output("Preprocess", name) for name in ("train", "validation", "test", "baseline")],
        arguments=[*BASE_DIR, *knobs.split_arguments()],
    )
    return ProcessingStep("Preprocess", step_args=request, cache_config=CACHE, retry_policies=RETRY_JOB)


def train(project: "Project", step_preprocess: ProcessingStep) -> TrainingStep:
    parameters = project.parameters
    trainer = ModelTrainer(
        training_image=project.image,
        role=project.settings.role_arn,
        sagemaker_session=project.session,
        base_job_name="train",
        tags=[{"key": tag["Key"], "value": tag["Value"]} for tag in project.settings.tags],
        compute=Compute(
            instance_type=parameters["TrainingInstanceType"],
            instance_count=parameters["TrainingInstanceCount"],
            volume_size_in_gb=knobs.VOLUME_SIZE_GB,
            volume_kms_key_id=project.settings.kms_key,
        ),
        networking=project.networking(),
        stopping_condition=StoppingCondition(max_runtime_in_seconds=knobs.MAX_RUNTIME_SECONDS),
        output_data_config=OutputDataConfig(
            s3_output_path=project.run_url("Train"), kms_key_id=project.settings.kms_key
        ),
        hyperparameters={
            **knobs.hyperparameters(),
            "max_depth": parameters["MaxDepth"].to_string(),
            "learning_rate": parameters["LearningRate"].to_string(),
            "num_round": parameters["NumRound"].to_string(),
        },
        input_data_config=[
            InputData(channel_name="code", data_source=project.code_url("train.py")),
            InputData(channel_name="train", data_source=output_url(step_preprocess, "train")),
            InputData(channel_name="validation", data_source=output_url(step_preprocess, "validation")),
        ],
    )
    return ScriptTrainingStep("Train", step_args=trainer.train(), cache_config=CACHE, retry_policies=RETRY_JOB)


def evaluate(project: "Project", step_preprocess: ProcessingStep, step_train: TrainingStep) -> ProcessingStep:
    processor = project.processor("evaluate.py")
    request = processor.run(
        inputs=[
            project.code_input("evaluate.py"),
            processing_input("model", model_url(step_train), f"{PROCESSING}/model"),
            processing_input("test", output_url(step_preprocess, "test"), f"{PROCESSING}/test"),
        ],
        outputs=[project.output("Evaluate", "evaluation")],
        arguments=BASE_DIR,
    )
    return ProcessingStep(
        "Evaluate", step_args=request, property_files=[EVALUATION], cache_config=CACHE, retry_policies=RETRY_JOB
    )


def gate(project: "Project", step_register: ModelStep, step_fail: FailStep) -> ConditionStep:
    conditions = [
        ConditionGreaterThanOrEqualTo(left=measured(each), right=project.parameters[each.parameter])
        for each in knobs.GATE
    ]
    return ConditionStep("QualityGate", conditions=conditions, if_steps=[step_register], else_steps=[step_fail])


def register(
    project: "Project", step_preprocess: ProcessingStep, step_train: TrainingStep, step_evaluate: ProcessingStep
) -> ModelStep:
    # Locations come from the steps, not from this execution's id: a cached step wrote them in an earlier execution.
    evaluation = output_url(step_evaluate, "evaluation")
    baseline = output_url(step_preprocess, "baseline")
    quality = json_file(evaluation, "evaluation.json")
    bias = json_file(evaluation, "bias.json")
    explainability = json_file(evaluation, "explainability.json")
    builder = ModelBuilder(
        s3_model_data_url=model_url(step_train),
        image_uri=project.image,
        env_vars=SERVING_ENVIRONMENT,
        role_arn=project.settings.role_arn,
        sagemaker_session=project.session,
    )
    request = builder.register(
        model_package_group_name=project.settings.model_package_group,
        approval_status=project.parameters["ModelApprovalStatus"],
        content_types=["application/json", "text/csv"],
        response_types=["application/json", "text/csv"],
        inference_instances=list(knobs.SERVING_INSTANCE_TYPES),
        transform_instances=list(knobs.TRANSFORM_INSTANCE_TYPES),
        model_metrics=ModelMetrics(model_statistics=quality, bias=bias, explainability=explainability),
        drift_check_baselines=DriftCheckBaselines(
            model_statistics=quality,
            model_data_statistics=json_file(baseline, "statistics.json"),
            model_data_constraints=json_file(baseline, "constraints.json"),
        ),
        customer_metadata_properties={
            "EvaluationReports": evaluation,
            "HeldOutSample": Join(on="/", values=[evaluation, "held_out.json"]),
            "PipelineExecutionArn": ExecutionVariables.PIPELINE_EXECUTION_ARN,
            "SourceCommit": project.parameters["SourceCommit"],
        },
    )
    return ModelStep("RegisterModel", step_args=request, retry_policies=RETRY_REQUEST)


def fail(project: "Project") -> FailStep:
    parts = quality_gate.message_parts(
        knobs.GATE, {each.metric: measured(each) for each in knobs.GATE}, project.parameters
    )
    return FailStep("QualityGateFailed", error_message=Join(on="", values=parts))


# --- what the steps have in common ----------------------------------------------------------------------------------


class Project:
    """Where the steps run: image, role, S3 locations and parameters."""

    def __init__(self, settings: Settings, session: PipelineSession, parameters: dict[str, Parameter]) -> None:
        self.settings = settings
        self.session = session
        self.parameters = parameters
        self.image = image_uris.retrieve(
            "xgboost", settings.region, version=knobs.IMAGE_VERSION, instance_type=knobs.TRAINING_INSTANCE_TYPE
        )

    def processor(self, script: str) -> Processor:
        return Processor(
            image_uri=self.image,
            role=self.settings.role_arn,
            entrypoint=["python3", f"{PROCESSING_CODE}/{script}"],
            instance_type=self.parameters["ProcessingInstanceType"],
            instance_count=self.parameters["ProcessingInstanceCount"],
            volume_size_in_gb=knobs.VOLUME_SIZE_GB,
            volume_kms_key=self.settings.kms_key,
            output_kms_key=self.settings.kms_key,
            network_config=self.network_config(),
            max_runtime_in_seconds=knobs.MAX_RUNTIME_SECONDS,
            tags=self.settings.tags,
            sagemaker_session=self.session,
        )

    def network_config(self) -> NetworkConfig | None:
        """The VPC of the project's processing jobs, if it was launched with one."""
        if not self.settings.subnets:
            return None
        return NetworkConfig(
            subnets=list(self.settings.subnets), security_group_ids=list(self.settings.security_groups)
        )

    def networking(self) -> Networking | None:
        """The same for training jobs."""
        if not self.settings.subnets:
            return None
        return Networking(subnets=list(self.settings.subnets), security_group_ids=list(self.settings.security_groups))

    def code_url(self, script: str) -> str:
        """The S3 prefix of a script and its modules; run.py uploads them there."""
        return f"s3://{self.settings.bucket}/{StepCode.of(script).prefix(self.settings.pipeline_name)}"

    def code_input(self, script: str) -> ProcessingInput:
        return processing_input("code", self.code_url(script), PROCESSING_CODE)

    def run_url(self, step: str, *parts: str) -> Join:
        """Where a step of one execution writes."""
        start = f"s3://{self.settings.bucket}/{self.settings.pipeline_name}/executions"
        return Join(on="/", values=[start, ExecutionVariables.PIPELINE_EXECUTION_ID, step, *parts])

    def output(self, step: str, name: str) -> ProcessingOutput:
        return ProcessingOutput(
            output_name=name,
            s3_output=ProcessingS3Output(
                s3_uri=self.run_url(step, name), local_path=f"{PROCESSING}/{name}", s3_upload_mode="EndOfJob"
            ),
        )


class ScriptTrainingStep(TrainingStep):  # type: ignore[misc]  # the SDK is untyped
    """A training step that runs train.py from the `code` channel.

    ModelTrainer sets an entrypoint only together with `source_code`, which it uploads under a key that contains the
    time: then the step cache would never hit.
    """

    @property
    def arguments(self) -> dict[str, Any]:
        request: dict[str, Any] = super().arguments
        algorithm = request["AlgorithmSpecification"]
        algorithm["ContainerEntrypoint"] = ["python3", f"{TRAINING_CODE}/train.py"]
        algorithm["ContainerArguments"] = BASE_DIR
        return request


def processing_input(name: str, url: Any, path: str) -> ProcessingInput:
    source = ProcessingS3Input(s3_uri=url, local_path=path, s3_data_type="S3Prefix", s3_input_mode="File")
    return ProcessingInput(input_name=name, s3_input=source)


def output_url(step: ProcessingStep, name: str) -> Any:
    return step.properties.ProcessingOutputConfig.Outputs[name].S3Output.S3Uri


def model_url(step: TrainingStep) -> Any:
    return step.properties.ModelArtifacts.S3ModelArtifacts


def json_file(prefix: Any, name: str) -> MetricsSource:
    return MetricsSource(s3_uri=Join(on="/", values=[prefix, name]), content_type="application/json")


def measured(threshold: knobs.Threshold) -> JsonGet:
    return JsonGet(step_name="Evaluate", property_file=EVALUATION, json_path=quality_gate.json_path(threshold.metric))
