"""AWS Service Catalog: what the platform team offers, and what people launch from it."""

from rehearsal.cloud.servicecatalog.updating import Updating


class ServiceCatalog(Updating):
    """The `servicecatalog` API."""

    name = "servicecatalog"
    validation_error = "InvalidParametersException"


__all__ = ["ServiceCatalog"]
