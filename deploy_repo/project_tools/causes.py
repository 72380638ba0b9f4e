"""Known causes: what a failure says, and what to do about it.

The table is read from the text nearest to the cause outwards, and from the top: put the special before the general.
`{name}` in an advice is what the pattern's group of that name found. A cause with `kinds` is only looked for where the
failure lies at such a station (build, job, step, endpoint, stack, resource, action, ...), and one with `pipeline` only
in a run of a SageMaker pipeline whose name ends so; `{pipeline}` in an advice is its name. Add a line, and a text that
it must recognise to tests/project_tools/test_causes.py of the template.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from project_tools.rights import refusal

Advice = str | Callable[[str], str]


@dataclass(frozen=True)
class Cause:
    """A cause that can be recognised. The advice may be worked out from the text it was recognised in."""

    name: str
    pattern: str
    advice: tuple[Advice, ...]
    kinds: frozenset[str] = frozenset()
    pipeline: str = ""


IN_CONTAINER = frozenset({"job", "endpoint"})
IN_BUILD = frozenset({"build", "command"})
IN_PRODUCTION = "-prod"
OTHER_MACHINE = (
    "choose another instance type: pipelines/knobs.py for jobs, staging-config.json and prod-config.json for endpoints."
)


def _lacking(text: str) -> str:
    found = refusal(text)
    return found.advice if found else ""


CAUSES = (
    # ---- the model and its data
    Cause(
        "below the quality gate",
        r"does not pass the quality gate",
        (
            "The model was trained, but it is not good enough to be registered. Look at the pictures of the evaluation "
            "(`make local` prints their paths), then improve steps/features.py, the hyperparameters or the data.",
            "If the gate asks too much, change it in pipelines/knobs.py.",
        ),
    ),
    Cause(
        "data breaks the contract",
        r"breaks the data contract",
        (
            "Correct the records and columns named above, or steps/claims_contract.py where the data is right.",
            "`make local DATA=claims.csv` checks a file on your machine.",
        ),
    ),
    Cause(
        "too few records",
        r"only \d+ claims have \S+; at least \d+ are needed",
        ("Give the pipeline more records of that class: a larger file, or a larger number of rows in the knobs.",),
    ),
    # ---- batch runs
    Cause(
        "answers not published",
        r"Nothing is published\. (?P<folder>s3://\S+)",
        (
            "The answers are in {folder}. If they are right, change batch-checks.json of the model-deploy repository "
            "and push; if they are wrong, `make rollback` there takes production back to the version before.",
            "Then start a run: aws sagemaker start-pipeline-execution --pipeline-name {pipeline}",
        ),
        pipeline=IN_PRODUCTION,
    ),
    Cause(
        "answers not published",
        r"Nothing is published\. (?P<folder>s3://\S+)",
        (
            "The answers are in {folder}; production was not touched. If they are right, correct test/answer.json of "
            "the model-deploy repository and push; if they are wrong, mend the model in the model-build repository.",
            "The tests of staging start their runs by themselves.",
        ),
    ),
    Cause(
        "unusable batch input",
        r"each line has to be a request as the endpoint takes it",
        ("Put the file right or take it away. The next run takes everything in input/ again.",),
    ),
    Cause(
        "record refused in a batch run",
        r"Bad HTTP status received from algorithm: 4\d\d",
        (
            "The model refused a line of this file, and says why above. Put the line right or take it away: a file "
            "gets all its answers or none. The next run takes everything in input/ again.",
        ),
    ),
    Cause(
        "model failed in a batch run",
        r"Bad HTTP status received from algorithm: 5\d\d|Model server did not respond",
        (
            "The model's own code failed on a line of this file. Try it with `make local` in the model-build "
            "repository; if the version is to blame, `make rollback` in the model-deploy repository takes production "
            "back.",
        ),
        pipeline=IN_PRODUCTION,
    ),
    Cause(
        "model failed in a batch run",
        r"Bad HTTP status received from algorithm: 5\d\d|Model server did not respond",
        (
            "The model's own code failed on a line of this file; production was not touched. Try it with `make local` "
            "in the model-build repository.",
        ),
    ),
    Cause(
        "still running",
        r"^The execution (?:\S+ of the SageMaker pipeline )?is still running",
        ("Run this again when it has ended.",),
    ),
    # ---- rights
    Cause("missing right", r"is not authorized to perform: [\w-]+:", (_lacking,)),
    Cause(
        "role cannot be assumed",
        r"(?i)could not assume role (?P<role>\S+?)\.?(?:\s|$)",
        (
            "The service may not act as {role}: the role is gone, or its trust policy does not name the service. Have "
            "your platform team update the project, which puts its roles back.",
        ),
    ),
    Cause(
        "access denied",
        r"AccessDenied|Access Denied|PermissionError|(?i:\b403\b.*forbidden)|\(403\)",
        (
            "A right is missing, and the message does not say which. Look at the role of this station, and at the "
            "policy of the bucket or key it reads. CloudTrail (event history, error code AccessDenied) names the call.",
        ),
    ),
    # ---- limits of the account and of AWS
    Cause(
        "quota",
        r"account-level service limit '(?P<limit>[^']+)' is (?P<value>\d+)",
        (
            "The account may have {value} of `{limit}`. Ask for more under Service Quotas (Amazon SageMaker), or "
            + OTHER_MACHINE,
        ),
    ),
    Cause(
        "quota",
        r"ResourceLimitExceeded|LimitExceeded|AccountLimitExceeded|quota",
        (
            "A quota of the account is used up. End what is not needed, or ask for more under Service Quotas.",
            "CodeBuild: a new account may run few builds at once; try again when the others have ended.",
        ),
    ),
    Cause(
        "no capacity",
        r"CapacityError|InsufficientInstanceCapacity|InsufficientCapacity|requested ML compute capacity",
        (
            "AWS has no machine of this type free at the moment. Try again later (Retry in the pipeline), or "
            + OTHER_MACHINE,
        ),
    ),
    Cause(
        "throttled",
        r"ThrottlingException|Rate exceeded|TooManyRequestsException|SlowDown",
        ("AWS had too many requests at once. Try again: retry the stage in the pipeline.",),
    ),
    # ---- endpoints
    Cause(
        "alarm during the deployment",
        r"(?i)alarm.*(?:baking|roll|trip|in alarm)|(?:roll|baking).*alarm",
        (
            "The alarms brought the old version back, and it goes on answering. Look at the stack's alarms at that "
            "minute, then at the endpoint's log: errors (5xx) or latency of the new version.",
            "An alarm that is still on makes the next deployment fail too: mend its cause first, or raise its limit "
            "in prod-config.json in the same push.",
        ),
    ),
    Cause(
        "module missing in the container",
        r"No module named '(?P<module>[\w.]+)'",
        (
            "The image does not have `{module}`. Use what the image has (requirements/build.in names the versions), or "
            "bring the module along with the code: a file of your own belongs into steps/.",
        ),
        IN_CONTAINER,
    ),
    Cause(
        "health check",
        r"did not pass the ping health check",
        (
            "The container did not answer /ping in time: the model could not be loaded, or a package is missing. Its "
            "log says which; if it is empty, the role may not write it.",
            "`make local` and `make test` in the model-build repository load the same inference code on your machine.",
        ),
    ),
    Cause(
        "model artefact",
        r"(?i)could not find model data|failed to (?:download|extract) model data|valid tar\.gz archive",
        ("The model's artefact is gone or damaged. Approve a version whose artefact exists, or run the build again.",),
    ),
    Cause(
        "image cannot be pulled",
        r"(?i)permission to pull the image|unable to pull|CannotPull|UNABLE_TO_PULL_IMAGE|image .* does not exist",
        (
            "The image cannot be pulled: check its name and version (IMAGE_VERSION in pipelines/knobs.py; the image of "
            "the CodeBuild project), that it exists in this region, and that the role may pull from ECR.",
        ),
    ),
    Cause(
        "endpoint is busy",
        r"(?i)cannot update in-progress endpoint",
        (
            "SageMaker is at work on the endpoint: another change of it, or maintenance of its own (SystemUpdating). "
            "It goes on serving. Once `aws sagemaker describe-endpoint` shows InService, retry the stage.",
        ),
    ),
    Cause(
        "instance type cannot be changed",
        r"(?i)instance type.*(?:autoscal|scalable target|variant)|cannot update.*registered",
        (
            "SageMaker refuses another instance type while autoscaling is on. Push twice: first with "
            "EndpointMaxInstanceCount equal to EndpointInstanceCount, then with the new type and the old maximum.",
        ),
    ),
    # ---- stacks
    Cause(
        "stack stuck in a rollback",
        r"UPDATE_ROLLBACK_FAILED state and can ?not be updated",
        (
            "An update failed, and so did the way back: the stack's events name the resource, perhaps an endpoint that "
            "SageMaker was maintaining just then. What served goes on serving, so do not delete the stack.",
            "Once the resource is as it should be, have your platform team run `aws cloudformation "
            "continue-update-rollback --stack-name <the stack>`, then retry the stage.",
        ),
    ),
    Cause(
        "stack cannot be updated",
        r"(?P<state>ROLLBACK_(?:COMPLETE|FAILED)|DELETE_FAILED) state and can ?not be updated",
        (
            "The stack is {state} from an earlier failure. Staging is replaced by the pipeline; the production stack "
            "is never deleted by it: have your platform team delete or repair it, then approve again.",
        ),
    ),
    Cause(
        "stack is busy",
        r"_IN_PROGRESS state and can ?not be updated",
        ("Another deployment of the same stack is running. Wait for its end, then retry the stage.",),
    ),
    Cause(
        "already exists",
        r"(?i)already exist(?:s|ing)",
        (
            "Something of that name is there, perhaps left over from an earlier project or stack. Delete or rename it, "
            "then retry.",
        ),
        frozenset({"stack", "resource", "endpoint", "project", "record"}),
    ),
    Cause(
        "bucket is not empty",
        r"(?i)bucket you tried to delete is not empty|BucketNotEmpty",
        ("Empty the bucket, every version of every object in it, then delete the project again.",),
    ),
    Cause(
        "launch parameter",
        r"failed to satisfy constraint|must have 1 to \d+ characters|must be one of|AllowedPattern|AllowedValues",
        ("A value given at the launch is not allowed; the message says which and why. Launch again with another.",),
        frozenset({"stack", "resource", "project", "record"}),
    ),
    # ---- the registry
    Cause(
        "version not approved",
        r"model package \S+ is \w+, not Approved",
        ("Approve the version in the Model Registry if it is to be deployed: that starts a deployment by itself.",),
    ),
    Cause(
        "version gone",
        r"model package \S+ does not exist|The model artefact \S+ of",
        ("Approve another version in the Model Registry.",),
    ),
    # ---- what a build runs
    Cause(
        "staging endpoint answers otherwise",
        r"(?:FAILED|ERROR) test/test_\w+\.py",
        (
            "The staging endpoint does not answer as test/ asks; production was not touched. The report "
            "`staging-tests` of the build shows each record; `make test-staging` tries it again from your machine.",
            "If the answer is right, put it into test/golden_records.json; for slow ones see test/latency-limits.json.",
        ),
    ),
    Cause(
        "unit test",
        r"(?:FAILED|ERROR) \S+\.py|\d+ failed[, ]|ImportError while loading conftest",
        ("`make test` runs the same tests on your machine, without AWS. Mend the code or the test, then push.",),
    ),
    Cause(
        "format",
        r"Would reformat: |files? would be reformatted",
        ("Run `make format`, commit what it changed, and push.",),
    ),
    Cause(
        "lint",
        r"(?m)^(?:[A-Z]{1,4}\d{3,4}|invalid-syntax)(?: \[\*\])?:? [\s\S]+?\n\s*(?:--> )?\S+:\d+:\d+"
        r"|^\S+\.\w+:\d+:\d+: [A-Z]+\d+ ",
        ("`make lint` shows the same on your machine; `make format` repairs what it can. Then push.",),
    ),
    Cause(
        "module missing in the build",
        r"No module named '(?P<module>[\w.]+)'",
        (
            "Add the package of `{module}` to requirements/build.in and run `make lock`, or correct the import; "
            "`make test` shows it on your machine.",
        ),
    ),
    Cause(
        "syntax error",
        r"(?:Syntax|Indentation|Tab)Error: ",
        ("Python cannot read a file; the lines above the error in the log name it. `make lint` finds it too.",),
    ),
    Cause(
        "buildspec",
        r"YAML_FILE_ERROR|(?i:unknown phase|buildspec\S* .*(?:invalid|not valid|not found|does not exist))",
        (
            "CodeBuild cannot read the buildspec; the message says where. Correct it (spaces, not tabs; text with `: ` "
            "or `#` in quotes) and push.",
        ),
    ),
    Cause(
        "artifact missing",
        r"(?i)no matching (?:artifact|base directory)|(?:doesn'?t exist|no such file|not found) .*in (?:the )?artifact",
        (
            "A file that the pipeline hands on was not written. See what the last command should have written, and "
            " `artifacts:` in the buildspec.",
        ),
    ),
    Cause(
        "endpoint configuration",
        r"(?:staging|prod)-config\.json\b",
        ("Correct what is named in that file; `make test` checks it on your machine. Then push.",),
        IN_BUILD,
    ),
    Cause(
        "unknown pipeline parameter",
        r"the pipeline has no parameter",
        ("Use one of the parameters that the message lists, or add yours to pipelines/knobs.py.",),
    ),
    Cause(
        "environment variable missing",
        r"(?i)environment variables? (?:must be set|(?:is|are) (?:missing|not set))",
        (
            "The project's CodeBuild projects set these variables; if this failed there, somebody changed the "
            "CodeBuild project: have your platform team update the project.",
        ),
    ),
    Cause(
        "no such make target",
        r"No rule to make target '(?P<target>[^']+)'",
        ("`{target}` is neither a verb of the Makefile nor a file. `make help` lists the verbs.",),
    ),
    Cause(
        "lock does not match",
        r"(?i)hash(?:es)? (?:mis|do not )match|THESE PACKAGES DO NOT MATCH THE HASHES|--require-hashes mode",
        (
            "A package differs from what requirements/*.lock promises. Run `make lock` and push; if it changes "
            "nothing, the package index serves another file: ask who runs it.",
        ),
    ),
    Cause(
        "versions do not fit",
        r"(?i)no solution found|ResolutionImpossible|No matching distribution|has no wheels with a matching",
        (
            "The requirements exclude each other, or the index lacks a version. Edit requirements/*.in, then run "
            "`make lock`.",
        ),
    ),
    Cause(
        "Python version",
        r"this repository needs 3\.|Python 3\.\d+ or newer is needed",
        ("Name a Python in `runtime-versions` of the buildspec that the repository works with.",),
    ),
    # ---- machines and networks
    Cause(
        "out of memory",
        r"exit (?:code|status):? 137|instance type with more memory|\bMemoryError\b"
        r"|Out ?[Oo]f ?[Mm]emory|(?m:^Killed$)|Cannot allocate memory",
        (
            "The machine had too little memory. Choose a larger instance type (pipelines/knobs.py for jobs, the "
            "endpoint's configuration for endpoints), or use less data at a time.",
        ),
    ),
    Cause(
        "disk full",
        r"No space left on device",
        ("The disk was full. Give the job a larger volume in pipelines/pipeline.py, or write less.",),
    ),
    Cause(
        "nobody approved",
        r"(?i)approval action timed out|approval.*(?:expired|timed out)",
        ("Nobody approved or rejected in time (seven days). Retry the stage to ask again.",),
    ),
    Cause(
        "timed out",
        r"(?i)timed?[_ ]out\b.*|BUILD_TIMED_OUT|MaxRuntimeExceeded|MaxWaitTimeExceeded",
        (
            "It took longer than it may. The log's last lines say what it was doing. Make that quicker, or raise the "
            "limit: the step's in pipelines/pipeline.py, the build's in the CodeBuild project (your platform team).",
        ),
        frozenset({"build", "command", "step", "job", "execution"}),
    ),
    Cause(
        "network",
        r"(?i)could not resolve|failed to fetch|name resolution|network is unreachable|dns error"
        r"|connection (?:refused|reset|timed out)|read timed out|max retries exceeded|tls handshake"
        r"|could not connect to the endpoint|EndpointConnectionError",
        (
            "Something on the network did not answer. If it happened once, retry the stage. If it stays: a package "
            "index needs UV_DEFAULT_INDEX, and a build or job in a VPC needs a way out or VPC endpoints.",
        ),
    ),
    # ---- data in S3 and sources
    Cause(
        "object missing in S3",
        r"NoSuchKey|specified key does not exist|No S3 objects found|HeadObject.*Not Found|\(404\)",
        (
            "S3 does not have the object. Compare its address with InputDataUrl (INPUT_DATA_URL of the CodeBuild "
            "project) and with what is in the project's bucket; if it was deleted, bring it back.",
        ),
    ),
    Cause(
        "bucket missing",
        r"NoSuchBucket|specified bucket does not exist",
        ("The bucket is gone, or is in another region. The project's outputs name its bucket.",),
    ),
    Cause(
        "branch missing",
        r"(?i)branch\b.*(?:does not exist|could not be found|not found)|BranchDoesNotExist|No branch",
        ("The pipeline takes `main` of the repository. Push to it, or bring the branch back.",),
    ),
    # ---- people
    Cause(
        "rejected before production",
        r"^Rejected by ",
        (
            "A person said no; production is as it was. When their reason is dealt with, approve the version in the "
            "Model Registry again, or start the pipeline again.",
        ),
    ),
    Cause(
        "stopped",
        r"(?i)^the execution (?:\S+ of the SageMaker pipeline )?(?:was|is) (?:stopp|cancel)|build was STOPPED",
        ("Somebody or something stopped it on purpose. Start the pipeline again if that reason no longer holds.",),
    ),
    Cause(
        "way back superseded",
        r"^The way back was superseded",
        (
            "The project starts the way back again by itself, three times at most, while production serves a rejected "
            "version. Look whether an execution is running; if not, `make rollback` in the model-deploy repository "
            "starts one.",
        ),
    ),
    Cause(
        "superseded",
        r"^The execution was superseded",
        ("Nothing need be done: look at the newer execution.",),
    ),
    Cause(
        "condition of a stage",
        r"^A condition of stage ",
        ("The stage was not entered because of this condition. Make it true, then retry the stage.",),
    ),
    Cause(
        "not found",
        r"(?i)command not found|: not found$|No such file or directory",
        ("A file or program is missing. Is it committed? `git ls-files` lists what the build gets.",),
        IN_BUILD,
    ),
    Cause(
        "refused by a verb",
        r"^make (?P<verb>[a-z-]+): ",
        ("`make {verb}` says itself what to change; it says the same on your machine.",),
    ),
)

# Where nothing was recognised, by the station the failure lies at.
OTHERWISE = {
    "command": "Run the same command on your machine; `make help` lists the verbs.",
    "build": "The build's log is behind the link. Run the same verbs on your machine; `make help` lists them.",
    "job": "`make local` runs the same scripts on your machine, without AWS.",
    "step": "`make local` runs the same steps on your machine, without AWS.",
    "endpoint": "Read the endpoint's log, and try the model with `make local` in the model-build repository.",
    "resource": "Read the events of the stack behind the link, from the first failure on.",
}
UNKNOWN = "This is no cause known to this tool. The last lines of the log are below, if there is one."


def recognise(texts: Sequence[str], kind: str, pipeline: str = "") -> tuple[str, tuple[str, ...]]:
    """The cause's name and what to try. `texts` is what was said, the nearest to the cause last.

    `pipeline` is the SageMaker pipeline in a run of which it was said, if it was one. The name is empty for a
    cause that is not known; there is advice all the same.
    """
    for text in reversed(texts):
        for cause in CAUSES:
            looked_for = (not cause.kinds or kind in cause.kinds) and pipeline.endswith(cause.pipeline)
            found = re.search(cause.pattern, text) if looked_for else None
            if found:
                groups = {"pipeline": pipeline, **{name: value or "" for name, value in found.groupdict().items()}}
                told = [each.format(**groups) if isinstance(each, str) else each(text) for each in cause.advice]
                if all(told):
                    return cause.name, tuple(told)
    return "", tuple(each for each in (UNKNOWN, OTHERWISE.get(kind, "")) if each)
