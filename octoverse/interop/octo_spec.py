"""One part of Octo's config.json: which class, with which arguments; what nobody asks for is told.

Source: octo-models/octo, octo/utils/spec.py (ModuleSpec).
"""

from typing import Any

from octoverse.errors import BadData

_REST = object()


class Spec:
    """A class by its name, and its arguments, of which each must be asked for."""

    def __init__(self, value: Any, where: str) -> None:
        """Read a spec.

        Args:
            value: As config.json has it.
            where: Its place in the file, for messages.

        Raises:
            BadData: if it is none.
        """
        keys = {"module", "name", "args", "kwargs"}
        if not isinstance(value, dict) or set(value) != keys or not isinstance(value["name"], str):
            raise BadData(
                f"{where}: expected a part with module, name, args and kwargs, got {value!r:.80}. "
                "The file is not one that Octo wrote."
            )
        if value["args"]:
            raise BadData(f"{where}: expected settings by name, got {value['args']} without names.")
        self.where, self.name = where, str(value["name"])
        self._left: dict[str, Any] = dict(value["kwargs"])

    @classmethod
    def of(cls, name: str, arguments: Any, where: str) -> "Spec":
        """The spec of what config.json gives the arguments of only.

        Raises:
            BadData: if they are not arguments by name.
        """
        if not isinstance(arguments, dict):
            raise BadData(
                f"{where}: expected settings by name, got {type(arguments).__name__}. "
                "The file is not one that Octo wrote."
            )
        return cls({"module": "", "name": name, "args": [], "kwargs": arguments}, where)

    def take(self, name: str, default: Any = _REST) -> Any:
        """The value of an argument, `default` where it is not given.

        Raises:
            BadData: if there is neither.
        """
        if name not in self._left and default is _REST:
            raise BadData(f"{self.where}: expected the setting '{name}' of {self.name}, got none.")
        return self._left.pop(name, default)

    def only(self, name: str, allowed: Any, why: str) -> None:
        """Refuse an argument that has another value than the one allowed, which is the default.

        Raises:
            BadData: if it has.
        """
        found = self.take(name, allowed)
        if found != allowed:
            raise BadData(f"{self.where}.{name}: expected {allowed}, got {found}. {why}")

    def finish(self) -> None:
        """Refuse arguments that nobody asked for: they would have changed what is computed.

        Raises:
            BadData: if there are any.
        """
        if self._left:
            raise BadData(
                f"{self.where}: {self.name} has the setting '{min(self._left)}', which is not "
                "known here, so that its weights cannot be read for sure."
            )
