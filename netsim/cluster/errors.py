"""What the API server answers when it refuses a request.

Ref: staging/src/k8s.io/apimachinery/pkg/api/errors/errors.go (v1.37): the messages and codes are its own.
"""

from __future__ import annotations

from typing import Self


class StatusError(Exception):
    """A refused request: ``reason`` (empty where it is unknown) and ``code`` as in ``metav1.Status``, ``str()`` is its message."""

    reason = ""
    code = 500
    group = ""
    """What it is about: the details of the Status."""
    kind = ""
    name = ""

    @property
    def message(self) -> str:
        """The Status's message."""
        return str(self)

    def about(self, resource: str, name: str) -> Self:
        """The same error with what it is about: a resource or a kind such as ``deployments.apps``, and an object's name."""
        self.kind, _, self.group = resource.partition(".")
        self.name = name
        return self


class NotFound(StatusError):  # noqa: N818 - the API's own word
    """``pods "x" not found``."""

    reason = "NotFound"
    code = 404

    @classmethod
    def of(cls, resource: str, name: str) -> NotFound:
        """The error for a resource such as ``deployments.apps``."""
        return cls(f'{resource} "{name}" not found').about(resource, name)


class AlreadyExists(StatusError):  # noqa: N818 - the API's own word
    """``pods "x" already exists``."""

    reason = "AlreadyExists"
    code = 409

    @classmethod
    def of(cls, resource: str, name: str) -> AlreadyExists:
        """The error for a resource such as ``deployments.apps``."""
        return cls(f'{resource} "{name}" already exists').about(resource, name)


_MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


class Conflict(StatusError):  # noqa: N818 - the API's own word
    """The object was changed since the version that the request was built on."""

    reason = "Conflict"
    code = 409

    @classmethod
    def of(cls, resource: str, name: str, cause: str = _MODIFIED) -> Conflict:
        """The error for a resource such as ``deployments.apps``."""
        return cls(f'Operation cannot be fulfilled on {resource} "{name}": {cause}').about(resource, name)


class Expired(StatusError):  # noqa: N818 - the API's own word
    """A watch from a version whose events were compacted away, or a list's page of such a version.

    ``continue_token``: where the list goes on as it is now.
    """

    reason = "Expired"
    code = 410

    def __init__(self, message: str, *, continue_token: str = "") -> None:
        super().__init__(message)
        self.continue_token = continue_token

    @classmethod
    def of(cls, requested: int, oldest: int) -> Expired:
        """``requested`` is the version asked for, ``oldest`` the first that can still be watched from."""
        return cls(f"too old resource version: {requested} ({oldest})")


class Invalid(StatusError):  # noqa: N818 - the API's own word
    """``Pod "x" is invalid: …``."""

    reason = "Invalid"
    code = 422
    fields: tuple[tuple[str, str], ...] = ()
    """The causes: a field, and what is wrong with it."""

    @classmethod
    def of(cls, kind: str, name: str, cause: str, fields: tuple[tuple[str, str], ...] = ()) -> Invalid:
        """The error for a kind such as ``Deployment.apps``."""
        error = cls(f'{kind} "{name}" is invalid: {cause}').about(kind, name)
        error.fields = fields
        return error


class BadRequest(StatusError):  # noqa: N818 - the API's own word
    """A selector that cannot be read, or a field that cannot be selected on."""

    reason = "BadRequest"
    code = 400


class Forbidden(StatusError):  # noqa: N818 - the API's own word
    """``pods "x" is forbidden: …``: an authorizer or an admission plugin refused."""

    reason = "Forbidden"
    code = 403

    @classmethod
    def of(cls, resource: str, name: str, why: str) -> Forbidden:
        """The error for a resource such as ``deployments.apps``; without a name where none was asked for, nor a resource for a path."""
        what = f'{resource} "{name}" is' if name else f"{resource} is"
        return cls(f"{what} forbidden: {why}" if resource else f"forbidden: {why}").about(resource, name)


class InternalError(StatusError):
    """``Internal error occurred: …``: what is refused and is not about a field."""

    reason = "InternalError"
    code = 500


class MethodNotAllowed(StatusError):  # noqa: N818 - the API's own word
    """A verb that a resource does not have."""

    reason = "MethodNotAllowed"
    code = 405

    def __init__(self, verb: str, resource: str) -> None:
        super().__init__(f'{verb} is not supported on resources of kind "{resource}"')


class UnsupportedMediaType(StatusError):  # noqa: N818 - the API's own word
    """A body of a kind that is not read."""

    reason = "UnsupportedMediaType"
    code = 415


class Timeout(StatusError):  # noqa: N818 - the API's own word
    """A version that is not yet written."""

    reason = "Timeout"
    code = 504


class NotImplementedHere(StatusError):  # noqa: N818 - what is not modelled
    """Something that a real API server does and this one does not."""

    reason = "NotImplemented"
    code = 501


class Unauthorized(StatusError):  # noqa: N818 - the API's own word
    """Nobody knows whose the credentials are."""

    reason = "Unauthorized"
    code = 401

    def __init__(self) -> None:
        super().__init__("Unauthorized")
