"""The other way to offer the template: Studio shows what lies in a bucket, without Service Catalog.

Three things make Studio show a template: a tag on the object, a tag on the domain that says where to look, and a bucket
that answers Studio's web page. Who may read and launch is the account set-up's business (``AllowS3Templates``).
https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-projects-templates-custom.html
https://github.com/aws-samples/sagemaker-custom-project-templates/tree/main/s3_templates
"""

from collections.abc import Iterator, Sequence

from service_catalog.errors import PublishError
from service_catalog.package import Package, Say, other_content
from service_catalog.seed_bucket import CHANGED, SeedBucket
from service_catalog.target import Target

PREFIX = "studio/"
ROLES_AHEAD = "roles-made-ahead/"
"""Below it lie the templates that take roles which are there already."""
LOCATION_TAG = "sagemaker:projectS3TemplatesLocation"

# The first shows it in Studio, the second lets the launch role read it.
_TAGS = {"sagemaker:studio-visibility": "true", "servicecatalog:provisioning": "true"}


class S3Templates:
    """The templates of one account and region that Studio shows from the catalog's bucket."""

    def __init__(self, target: Target, bucket: SeedBucket) -> None:
        """Nothing is changed yet."""
        self._sagemaker = target.client("sagemaker")
        self._bucket = bucket
        self.location = f"s3://{bucket.name}/{PREFIX}"

    def url(self, version: str, roles_ahead: bool = False) -> str:
        """Where a version's template lies, as ``CreateProject`` wants it."""
        return self._bucket.url(self._key(version, roles_ahead))

    def domains(self, asked_for: Sequence[str]) -> list[str]:
        """The ARNs of the domains that are to show the templates: those asked for, or the only one there is.

        Raises PublishError for one that is not there or that shows another place, and when there are several to choose
        from. Without any domain there is none: projects can be launched by API.
        """
        known = dict(self._known_domains())
        if unknown := [each for each in asked_for if each not in known]:
            raise PublishError(
                f"There is no Studio domain {', '.join(unknown)} here. There are: {', '.join(known) or 'none'}."
            )
        if not asked_for and len(known) > 1:
            raise PublishError(
                f"Which Studio domain is to show the template? There are {', '.join(known)}. Pass --domain-id ID, once "
                "for each."
            )
        chosen = [known[each] for each in asked_for] if asked_for else list(known.values())
        for arn in chosen:
            elsewhere = self._location_of(arn)
            if elsewhere not in {"", self.location}:
                raise PublishError(
                    f"The domain {arn} shows the templates of {elsewhere}, and a domain shows one place only. Nothing "
                    f"was published. Remove its tag {LOCATION_TAG} first if they are no longer wanted, or launch by "
                    "API: docs/publishing.md says how."
                )
        return chosen

    def offer(self, package: Package, domains: Sequence[str], say: Say, *, roles_ahead: bool = False) -> bool:
        """Show a version, as a whole or with its roles made ahead. Returns whether it was not there yet.

        Raises PublishError when it is there, with other content.
        """
        key = self._key(package.version, roles_ahead)
        body = package.roles_ahead.project if roles_ahead and package.roles_ahead else package.template
        try:
            new = self._bucket.put_once(key, body, "text/yaml", _TAGS)
        except PublishError as problem:
            if CHANGED not in str(problem):
                raise
            raise other_content(package.version, self._bucket.url(key)) from problem
        say(f"{'uploaded' if new else 'already there'}: {key}")
        if self._bucket.answer_studio():
            say("bucket answers Studio's web page (CORS)")
        for arn in domains:
            if self._location_of(arn) != self.location:
                self._sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": LOCATION_TAG, "Value": self.location}])
                say(f"{arn} shows {self.location}")
        if not domains:
            say(
                f"WARNING no Studio domain here: projects can be launched by API. Tag a domain {LOCATION_TAG}="
                f"{self.location}, or publish again, once there is one"
            )
        return new

    def shown_by(self) -> list[str]:
        """The ARNs of the domains that show the bucket's templates."""
        return [arn for _, arn in self._known_domains() if self._location_of(arn) == self.location]

    def hide(self) -> list[str]:
        """Have no domain show the bucket's templates any more; the ARNs of those that did."""
        shown = self.shown_by()
        for arn in shown:
            self._sagemaker.delete_tags(ResourceArn=arn, TagKeys=[LOCATION_TAG])
        return shown

    @staticmethod
    def _key(version: str, roles_ahead: bool) -> str:
        return f"{PREFIX}{ROLES_AHEAD if roles_ahead else ''}mlops-project-{version}.yaml"

    def _known_domains(self) -> Iterator[tuple[str, str]]:
        for page in self._sagemaker.get_paginator("list_domains").paginate():
            yield from ((each["DomainId"], each["DomainArn"]) for each in page["Domains"])

    def _location_of(self, arn: str) -> str:
        pages = self._sagemaker.get_paginator("list_tags").paginate(ResourceArn=arn)
        tags = {tag["Key"]: tag["Value"] for page in pages for tag in page["Tags"]}
        return str(tags.get(LOCATION_TAG, ""))
