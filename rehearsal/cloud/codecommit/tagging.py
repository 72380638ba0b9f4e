"""Tags of repositories."""

from __future__ import annotations

from rehearsal.cloud.codecommit.refusals import check_tag_keys, check_tags
from rehearsal.cloud.codecommit.room import Room, on_repository
from rehearsal.cloud.service import Call, Credentials, Document, operation


class Tagging(Room):
    """The operations on tags."""

    @operation(
        "TagResource",
        needs=lambda room, request: [
            Call(
                "codecommit:TagResource",
                request["resourceArn"],
                {**room.tag_context(request["resourceArn"].rpartition(":")[2]), **room.request_tags(request)},
            )
        ],
    )
    def tag_resource(self, request: Document, caller: Credentials) -> Document:
        repository = self._by_arn(request["resourceArn"])
        tags = {**repository.tags, **request["tags"]}
        check_tags(tags)
        repository.tags = tags
        return {}

    @operation(
        "UntagResource",
        needs=lambda room, request: [
            Call(
                "codecommit:UntagResource",
                request["resourceArn"],
                {
                    **room.tag_context(request["resourceArn"].rpartition(":")[2]),
                    "aws:TagKeys": list(request["tagKeys"]),
                },
            )
        ],
    )
    def untag_resource(self, request: Document, caller: Credentials) -> Document:
        repository = self._by_arn(request["resourceArn"])
        check_tag_keys(request["tagKeys"])
        for key in request["tagKeys"]:
            repository.tags.pop(key, None)
        return {}

    @operation("ListTagsForResource", needs=on_repository("ListTagsForResource"))
    def list_tags_for_resource(self, request: Document, caller: Credentials) -> Document:
        answer = self._page("tags", sorted(self._by_arn(request["resourceArn"]).tags.items()), request)
        return {**answer, "tags": dict(answer["tags"])}
