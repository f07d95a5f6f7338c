"""A string protocol whose state says what the next string is."""

from __future__ import annotations

from typing import Any

__all__ = ["StatefulStringProtocol"]


class StatefulStringProtocol:
    """
    Mixed into a string protocol: each string goes to the method of the state.

    In state "auth" that is `proto_auth`; it returns the next state. A connection
    is closed when its state becomes "done".

    Attributes:
        state: the name of the state.
    """

    state: str = "init"
    transport: Any

    def stringReceived(self, string: bytes) -> None:
        """
        Pass `string` to `proto_` and the state.

        Raises:
            NotImplementedError: there is no such method.
        """
        try:
            method = getattr(self, f"proto_{self.state}")
        except AttributeError:
            raise NotImplementedError(
                f"{self.__class__.__name__} is in state {self.state!r} and has no "
                f"proto_{self.state}(): a proto_...() returns the next state"
            ) from None
        self.state = method(string)
        if self.state == "done":
            self.transport.loseConnection()
