"""AWS Service Catalog: what the platform team offers, and what people launch from it."""

from rehearsal.cloud.servicecatalog.provisioning import Provisioning


class ServiceCatalog(Provisioning):
    """The `servicecatalog` API."""

    name = "servicecatalog"
    validation_error = "InvalidParametersException"


__all__ = ["ServiceCatalog"]
