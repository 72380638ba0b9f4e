"""Reserved concurrency: how many invocations of a function run at most.

https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html
"""

from __future__ import annotations

from rehearsal.cloud.lambda_.room import Room, invalid
from rehearsal.cloud.service import Credentials, Document, operation

MOST_RESERVED = 900
"""Of an account's 1,000, 100 stay for functions without a reservation.

https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html
"""


class Concurrency(Room):
    """The operations on reserved concurrency."""

    @operation("PutFunctionConcurrency", lambda room, request: room.function_calls("PutFunctionConcurrency", request))
    def put_function_concurrency(self, request: Document, caller: Credentials) -> Document:
        wanted = int(request["ReservedConcurrentExecutions"])
        with self.lock:
            function = self.find(request["FunctionName"])
            others = sum(each.reserved or 0 for each in self.functions.values() if each is not function)
            if others + wanted > MOST_RESERVED:
                raise invalid(
                    "Specified ReservedConcurrentExecutions for function decreases account's "
                    "UnreservedConcurrentExecution below its minimum value of [100]."
                )
            function.reserved = wanted
        return {"ReservedConcurrentExecutions": wanted}

    @operation("GetFunctionConcurrency", lambda room, request: room.function_calls("GetFunctionConcurrency", request))
    def get_function_concurrency(self, request: Document, caller: Credentials) -> Document:
        with self.lock:
            return {"ReservedConcurrentExecutions": self.find(request["FunctionName"]).reserved}

    @operation(
        "DeleteFunctionConcurrency", lambda room, request: room.function_calls("DeleteFunctionConcurrency", request)
    )
    def delete_function_concurrency(self, request: Document, caller: Credentials) -> Document:
        with self.lock:
            self.find(request["FunctionName"]).reserved = None
        return {}
