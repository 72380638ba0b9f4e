"""Bad input, and how each case ends: the state people see, and words of the one message that they read.

Each row is the case of the same name in this folder. A row's state is the one AWS shows (or the exit status of a
command); `says` names the thing that is wrong and, wherever the words are this project's own, the remedy.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Ending:
    """How a case ends."""

    state: str
    says: tuple[str, ...]


def ends(state: str, *says: str) -> Ending:
    return Ending(state, says)


LOWER_CASE = (
    "Parameter SageMakerProjectName failed to satisfy constraint: ",
    "must have 1 to 32 characters: lower-case letters, digits",
    "Upper case is refused because SageMaker lower-cases the ARNs",
    "Choose another project name",
)

NOT_HEALTHY = ("did not pass the ping health check", "Please check CloudWatch logs for this endpoint")

ENDINGS = {
    # ---- launching and publishing
    "a_project_name_the_template_does_not_take": ends("CreateFailed", *LOWER_CASE),
    "a_project_name_with_a_character_sagemaker_does_not_take": ends(
        "refused", "'claims_fraud'", "projectName", "must satisfy regular expression"
    ),
    "a_project_name_that_is_too_long": ends("refused", "projectName", "must have length less than or equal to 32"),
    "a_project_name_that_is_too_long_for_the_template": ends("refused", *LOWER_CASE),
    "a_project_name_in_upper_case": ends("CreateFailed", *LOWER_CASE),
    "a_seed_archive_that_is_missing_at_launch": ends(
        "CreateFailed",
        "ModelDeployRepository (AWS::CodeCommit::Repository)",
        "The specified key does not exist",
        "the code of repository",
        "seed/modeldeploy-",
    ),
    "a_seed_archive_that_is_corrupt_at_launch": ends(
        "CreateFailed", "ModelDeployRepository (AWS::CodeCommit::Repository)", "is not a usable zip file"
    ),
    "a_seed_archive_that_is_corrupt_when_publishing": ends(
        "exit 1",
        "seed/modeldeploy-",
        "does not hold what its name says",
        "restore the right one or delete the key, then publish again",
    ),
    "a_seed_file_that_is_missing_when_publishing": ends(
        "exit 1",
        "build_repo/pipelines/knobs.py is tracked by git but missing from the working tree",
        "Bring it back with 'git restore build_repo/pipelines/knobs.py'",
    ),
    "a_template_that_is_not_valid_when_publishing": ends(
        "exit 1",
        "CloudFormation does not accept cloudformation/project.yaml",
        "'AWS::Wrong' does not exist",
        "Nothing was published",
        "'make lint' checks the template",
    ),
    "a_template_that_is_not_valid_when_a_stack_is_made": ends(
        "refused", "Template validation error", "line 4", "'Colour' was unexpected"
    ),
    # ---- launching a template of somebody else's
    "a_foreign_template_that_is_not_there": ends("exit 2", "nowhere.yaml cannot be read: No such file or directory"),
    "a_foreign_template_that_is_not_yaml": ends("exit 2", "template.yaml:", "is not a template that can be read"),
    "a_foreign_template_that_is_no_template": ends("exit 2", "is not a CloudFormation template: it has no Resources"),
    "a_foreign_template_that_is_of_no_project": ends(
        "exit 2", "has no parameter SageMakerProjectName and no SageMakerProjectId", "SageMaker fills both in"
    ),
    "a_foreign_template_with_placeholders_left": ends(
        "exit 2", "give it with --fill AWSDEFAULT___CODE_STAGING_BUCKET___=VALUE"
    ),
    "a_foreign_template_without_its_parameters": ends(
        "exit 2", "has no parameter Grup; it has: Group", "parameter Group has no default", "--parameter Group=VALUE"
    ),
    "a_foreign_template_without_its_seeds": ends(
        "exit 2",
        "template.yaml:6: Build (AWS::CodeCommit::Repository) takes its code from s3://sagemaker-seeds/seeds/build.zip",
        "give it with --seed old/build.zip=FOLDER",
    ),
    "seeds_of_a_foreign_template_that_cannot_be_used": ends(
        "exit 2",
        "must be KEY=FOLDER, the key as the template has it",
        "there is no folder or file",
        "is neither a folder nor a zip file",
        "empty is empty",
        "takes no code from seeds/train.zip; its keys: old/build.zip, seeds/build.zip",
        "build.zip may be sagemaker-seeds/old/build.zip, sagemaker-seeds/seeds/build.zip; write one of them",
    ),
    "options_of_a_foreign_template_without_one": ends("exit 2", "--seed goes with --template FILE"),
    # ---- building: the pipeline's state, and what its action says
    "a_buildspec_command_that_fails": ends(
        "Failed", "Phase: BUILD", "Error while executing command: cat nowhere.txt. Reason: exit status 1"
    ),
    "a_buildspec_that_is_missing": ends("Failed", "YAML_FILE_ERROR", "YAML file does not exist: moved/buildspec.yml"),
    "a_buildspec_with_an_unknown_key": ends(
        "Failed", "YAML_FILE_ERROR", "unknown key 'artefacts' (line 6 of buildspec.yml)"
    ),
    "an_artifact_file_that_is_missing": ends(
        "Failed", "Phase: UPLOAD_ARTIFACTS", "no matching artifact paths found (model.tar.gz)"
    ),
    # ---- approving: AWS's error, and its message; what waits goes on waiting, what is decided stays decided
    "an_approval_given_twice": ends(
        "ApprovalAlreadyCompletedException", "has already been approved or rejected: Approved by "
    ),
    "an_approval_with_a_wrong_token": ends(
        "InvalidApprovalTokenException", "belongs to no approval that waits in Approve/Approve"
    ),
    "an_approval_after_its_expiry": ends("InvalidApprovalTokenException", "has expired"),
    # ---- deploying: every deployment is one version as a whole, the last one told ends up live; what people are asked
    # or told about it
    "an_event_delivered_twice": ends("Succeeded", " of the model answers in staging"),
    "events_out_of_order": ends("Succeeded", " of the model answers in staging"),
    "an_approved_version_whose_artefact_is_gone": ends(
        "Failed",
        "models/gone/model.tar.gz is gone",
        "Restore it, or approve a version whose artefact exists. Nothing was deployed.",
    ),
    "a_production_update_that_fails_half_way": ends(
        "UPDATE_ROLLBACK_COMPLETE",
        "The update of endpoint",
        "was rolled back",
        "Failed to download model data",
        "models/half/model.tar.gz",
    ),
    # ---- training: what the end of the red build says; Studio shows the same words beside the job
    "data_without_the_label_column": ends(
        "Failed",
        "claims.csv breaks the data contract",
        "fraud is missing from the header (label column",
        "Correct the data, or steps/claims_contract.py",
    ),
    "data_that_are_empty": ends("Failed", "claims.csv is empty", "Check how it was exported"),
    "data_with_one_class": ends(
        "Failed", "only 0 claims have fraud=1; at least 50 are needed", "Add such claims", "check that the label column"
    ),
    "data_with_text_in_a_numeric_column": ends(
        "Failed", "claims.csv", "record 200: claim_amount is 'a lot', expected a number", "Correct the data"
    ),
    "data_that_cannot_be_read": ends(
        "Failed", "claims.csv is not UTF-8 text: it looks like an Excel workbook", "Save it as CSV in UTF-8"
    ),
    "data_too_large_for_the_instance": ends(
        "Failed",
        "it needed more memory than its instance has",
        "SageMaker says: ClientError: Please use an instance type with more memory",
        'make pipeline PARAMETERS="ProcessingInstanceType=ml.m5.2xlarge"',
        "PROCESSING_INSTANCE_TYPE in pipelines/knobs.py",
    ),
    "a_step_script_that_raises": ends("Failed", "preprocess.py, line ", "in main: KeyError: 'claim_amuont'"),
    "a_pipeline_that_does_not_compile": ends(
        "exit 1",
        "make definition: the pipeline does not compile: pipelines/pipeline.py, line ",
        "in build_pipeline: AttributeError: module 'pipelines.knobs' has no attribute 'NAME_OF_THE_PIPELINE'",
        "For the whole traceback: ",
    ),
    "a_definition_with_a_cycle": ends(
        "exit 1",
        "AWS did not accept a request",
        "in a cycle",
        "The pipeline in SageMaker is as it was. It is put together in pipelines/pipeline.py",
    ),
    "a_parameter_of_the_wrong_type": ends("exit 1", "make pipeline: MaxDepth=deep: expected a whole number"),
    "a_parameter_outside_its_choices": ends("exit 1", "make pipeline: Status=Maybe: expected one of Pending, Approved"),
    "a_parameter_of_the_wrong_type_in_studio": ends("refused", "'deep' of parameter [MaxDepth] is not of type Integer"),
    # ---- serving: an endpoint's failure reason, or what the caller is answered
    "an_endpoint_that_never_answers_its_ping": ends("Failed", *NOT_HEALTHY),
    "an_inference_script_that_does_not_import": ends("Failed", *NOT_HEALTHY),
    "an_inference_script_that_raises_when_it_loads_the_model": ends("Failed", *NOT_HEALTHY),
    "an_inference_script_that_raises_on_a_record": ends(
        "ModelError 500", "Received server error (500) from primary", "logEventViewer:group=/aws/sagemaker/Endpoints/"
    ),
    "a_record_with_a_missing_field": ends("ModelError 400", "record 1: claim_amount is missing"),
    "a_record_with_an_unknown_field": ends("ModelError 400", "record 0: shoe_size is not a field of a claim"),
    "a_record_with_text_for_a_number": ends("ModelError 400", "record 0: claim_amount is 'a lot', expected a number"),
    "a_stack_update_that_fails_half_way": ends(
        "UPDATE_ROLLBACK_COMPLETE", "The update of endpoint", "was rolled back", *NOT_HEALTHY
    ),
    # ---- the machine: `python -m rehearsal`
    "a_rehearsal_without_git": ends("exit 2", "git is needed and was not found on the PATH", "Install it"),
    "a_rehearsal_in_a_place_that_cannot_be_written": ends(
        "exit 2", "The rehearsal cannot write there", "Choose another --folder"
    ),
    "a_rehearsal_without_room_on_the_disk": ends(
        "exit 2", "MB free, but a rehearsal needs", "Free some space, or choose a --folder on another disk"
    ),
    "a_rehearsal_whose_disk_fills_up_in_the_middle": ends(
        "exit 1", "MB are left on the disk of", "nothing is left running", "Free some space, or choose a --folder"
    ),
    "a_rehearsal_whose_port_is_taken": ends(
        "exit 1", "on 127.0.0.1 cannot be used: Address already in use", "choose another port with --port"
    ),
    "a_rehearsal_that_was_killed_and_starts_again": ends("exit 130", "stopped; nothing is left running"),
    "a_rehearsal_that_was_killed_at_work_and_starts_again": ends("exit 130", "stopped; nothing is left running"),
}
