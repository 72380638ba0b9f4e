"""Taking a published catalog down again: list, refuse while projects live, then remove.

Every part that is gone already is passed over, so that a teardown that was interrupted is finished by another one.
"""

from collections.abc import Iterator

from service_catalog.bucket_removal import remove
from service_catalog.catalog import STACK
from service_catalog.errors import PublishError
from service_catalog.holdings import Holdings, added_by_hand, look
from service_catalog.publish import ACCOUNT_STACK, ROLES_STACK
from service_catalog.s3_templates import S3Templates
from service_catalog.seed_bucket import SeedBucket
from service_catalog.stacks import Say, Stacks
from service_catalog.target import Target


class Teardown:
    """What publishing left in one account and region, and its removal."""

    def __init__(self, target: Target, say: Say = print, poll_seconds: float = 2.0) -> None:
        """Looks around at once; see ``holdings``."""
        self._target = target
        self._say = say
        self._stacks = Stacks(target.client("cloudformation"), _indented(say), poll_seconds)
        self.holdings: Holdings = look(target)

    def listing(self) -> Iterator[str]:
        """What is there, what stops a teardown, and what it would leave, as people read it."""
        where = f"account {self._target.account}, region {self._target.region}"
        if self.holdings.nothing:
            yield f"Nothing of a published catalog is left in {where}."
        else:
            yield f"Publishing left in {where}:"
            yield from (f"  {line}" for line in self.holdings.lines())
        if self.holdings.living:
            yield "Projects that still live:"
            yield from (f"  {each}" for each in self.holdings.living)
        kept = list(self._kept())
        if kept:
            yield "Kept:"
            yield from (f"  {each}" for each in kept)

    def remove(self) -> None:
        """Remove everything but what is kept. Raises PublishError while projects live, or for what will not go."""
        if self.holdings.living:
            raise PublishError(
                f"Projects still live: {'; '.join(self.holdings.living)}. Nothing was removed: without the launch role "
                "they could neither be updated nor deleted. Delete them first, in Studio or with "
                "'aws sagemaker delete-project --project-name NAME', then run this again."
            )
        self._hide_templates()
        self._remove_catalog()
        self._remove_account_setup()
        self._remove_bucket()

    def _hide_templates(self) -> None:
        """First: Studio is not to offer what is about to go."""
        for arn in S3Templates(self._target, SeedBucket(self._target)).hide() if self.holdings.domains else []:
            self._say(f"{arn} no longer shows the bucket's templates")

    def _remove_catalog(self) -> None:
        if STACK not in self.holdings.stacks:
            return
        self._say(f"Remove portfolio and product (stack {STACK})")
        catalog = self._target.client("servicecatalog")
        for arn in added_by_hand(self.holdings, self._stacks):  # a portfolio that somebody may see cannot be deleted
            catalog.disassociate_principal_from_portfolio(PortfolioId=self.holdings.portfolio, PrincipalARN=arn)
            self._say(f"    no longer open to {arn}, who was let in by hand")
        self._stacks.delete(STACK)

    def _remove_account_setup(self) -> None:
        if not {ACCOUNT_STACK, ROLES_STACK} & set(self.holdings.stacks):
            return
        if self.holdings.account_setup_stays:
            self._say(f"Leave the account set up: {self.holdings.account_setup_stays}")
            return
        if ROLES_STACK in self.holdings.stacks:  # first: they carry the boundary
            self._say(f"Remove the roles that were made ahead (stack {ROLES_STACK})")
            self._stacks.delete(ROLES_STACK)
        if ACCOUNT_STACK not in self.holdings.stacks:
            return
        self._say(f"Remove launch role, boundary and Studio rights (stack {ACCOUNT_STACK})")
        self._stacks.delete(ACCOUNT_STACK)

    def _remove_bucket(self) -> None:
        if self.holdings.contents is None:
            return
        bucket = self.holdings.bucket
        self._say(f"Remove s3://{bucket}")
        remove(self._target.client("s3"), bucket, self._target.account, _indented(self._say))

    def _kept(self) -> Iterator[str]:
        if self.holdings.account_setup_stays:
            yield f"account set-up (stack {ACCOUNT_STACK}): {self.holdings.account_setup_stays}"
        if not self.holdings.living:
            yield from self.holdings.kept


def _indented(say: Say) -> Say:
    return lambda line: say(f"    {line}")
