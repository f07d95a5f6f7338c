"""
What a function takes, described well enough to make a form of it.

    signature = MethodSignature(
        String("name", "", "Your name", min=1),
        Integer("age", 18, "Your age"),
    )
    form = signature.method(register)

What comes back from the form is text; `coerce` of each argument makes a value of
it, or raises `InputError`.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

__all__ = [
    "Argument",
    "Boolean",
    "CheckGroup",
    "Choice",
    "Date",
    "File",
    "Flags",
    "Float",
    "FormException",
    "FormMethod",
    "Hidden",
    "InputError",
    "Integer",
    "IntegerRange",
    "MethodSignature",
    "Password",
    "PresentationHint",
    "RadioGroup",
    "String",
    "Submit",
    "Text",
    "VerifiedPassword",
    "positiveInt",
]


class FormException(Exception):
    """
    Whoever filled in the form did it wrong.

    Attributes:
        descriptions: what is wrong, by the name of the argument: the arguments
            that were given by name.
    """

    def __init__(self, *args: object, **descriptions: str) -> None:
        super().__init__(*args)
        self.descriptions = descriptions


class InputError(FormException):
    """One answer is wrong; the text says how."""


def positiveInt(x: str | int) -> int:
    """
    The number of a text.

    Raises:
        ValueError: it is none, or not above 0.
    """
    number = int(x)
    if number <= 0:
        raise ValueError(f"{number} is not above 0")
    return number


class Argument:
    """
    One argument of a function, and one field of a form. For subclasses.

    Args:
        name: the argument's name.
        default: what the field has in it; by default `defaultDefault`.
        shortDesc: what stands beside the field; by default the name.
        longDesc: an explanation.
        hints: for whatever shows the form.
        allowNone: whether the field may stay empty: the value is None then.
    """

    #: The default if none is given.
    defaultDefault: ClassVar[Any] = None

    def __init__(
        self,
        name: str,
        default: Any = None,
        shortDesc: str | None = None,
        longDesc: str | None = None,
        hints: dict[str, Any] | None = None,
        allowNone: bool | int = 1,
    ) -> None:
        self.name = name
        self.allowNone = allowNone
        self.default = self.defaultDefault if default is None else default
        self.shortDesc = shortDesc
        self.longDesc = longDesc
        self.hints = {} if hints is None else hints

    def addHints(self, **kwargs: Any) -> None:
        """Add hints."""
        self.hints.update(kwargs)

    def getHint(self, name: str, default: Any = None) -> Any:
        """A hint, or `default`."""
        return self.hints.get(name, default)

    def getShortDescription(self) -> str:
        """What stands beside the field."""
        return self.shortDesc or self.name.capitalize()

    def getLongDescription(self) -> str:
        """The explanation, or an empty text."""
        return self.longDesc or ""

    def coerce(self, val: Any) -> Any:
        """
        Make a value of what is in the field.

        Raises:
            InputError: it does not make one.
        """
        raise NotImplementedError(f"{type(self).__qualname__} does not implement coerce")


class String(Argument):
    """
    A line of text.

    Args:
        min: how many characters there are at least.
        max: how many at most; None for any number.
    """

    defaultDefault: ClassVar[Any] = ""
    min = 0
    max: int | None = None

    def __init__(
        self,
        name: str,
        default: Any = None,
        shortDesc: str | None = None,
        longDesc: str | None = None,
        hints: dict[str, Any] | None = None,
        allowNone: bool | int = 1,
        min: int = 0,
        max: int | None = None,
    ) -> None:
        super().__init__(name, default, shortDesc, longDesc, hints, allowNone)
        self.min = min
        self.max = max

    def coerce(self, val: Any) -> str:
        """The text."""
        text = str(val)
        if len(text) < self.min:
            raise InputError(f"Value must be at least {self.min} characters long")
        if self.max is not None and len(text) > self.max:
            raise InputError(f"Value must be at most {self.max} characters long")
        return text


class Text(String):
    """A text of several lines."""


class Password(String):
    """A text that is not shown."""


class VerifiedPassword(String):
    """A text that is not shown, and asked for twice: a pair comes back."""

    def coerce(self, vals: Sequence[Any]) -> str:
        """The text, if both are the same."""
        if len(vals) != 2 or vals[0] != vals[1]:
            raise InputError("Please enter the same password twice.")
        return super().coerce(vals[0])


class Hidden(String):
    """A text that comes back as it was sent: the default."""


class _Field(Argument):
    """A field whose arguments have another order."""

    def __init__(
        self,
        name: str,
        allowNone: bool | int = 1,
        default: Any = None,
        shortDesc: str | None = None,
        longDesc: str | None = None,
        hints: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(name, default, shortDesc, longDesc, hints, allowNone)


class Integer(_Field):
    """A whole number."""

    def coerce(self, val: Any) -> int | None:
        """The number, or None of an empty field."""
        if self.allowNone and not str(val).strip():
            return None
        try:
            return int(val)
        except ValueError:
            raise InputError(f"{val} is not valid, please enter a whole number, e.g. 10") from None


class IntegerRange(Integer):
    """
    A whole number within bounds.

    Args:
        min: the smallest.
        max: the largest.
    """

    def __init__(
        self,
        name: str,
        min: int,
        max: int,
        allowNone: bool | int = 1,
        default: Any = None,
        shortDesc: str | None = None,
        longDesc: str | None = None,
        hints: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(name, allowNone, default, shortDesc, longDesc, hints)
        self.min = min
        self.max = max

    def coerce(self, val: Any) -> int | None:
        """The number, or None of an empty field."""
        number = super().coerce(val)
        if number is not None and number < self.min:
            raise InputError(f"Value {number} is too small, it should be at least {self.min}")
        if number is not None and number > self.max:
            raise InputError(f"Value {number} is too large, it should be at most {self.max}")
        return number


class Float(_Field):
    """A number."""

    def coerce(self, val: Any) -> float | None:
        """The number, or None of an empty field."""
        if self.allowNone and not str(val).strip():
            return None
        try:
            return float(val)
        except ValueError:
            raise InputError(f"Invalid float: {val}") from None


class Choice(Argument):
    """
    One of several things.

    Args:
        choices: for each, the text that comes back, the value, and a description.
        default: the values that are chosen at first; by default the first one.
    """

    def __init__(
        self,
        name: str,
        choices: Sequence[tuple[Any, Any, str]] = [],
        default: Any = (),
        shortDesc: str | None = None,
        longDesc: str | None = None,
        hints: dict[str, Any] | None = None,
        allowNone: bool | int = 1,
    ) -> None:
        self.choices = choices
        if choices and not default:
            default = [choices[0][1]]
        super().__init__(name, default, shortDesc, longDesc, hints, allowNone)

    def coerce(self, inIdent: Any) -> Any:
        """The value of what was chosen."""
        for identifier, value, _ in self.choices:
            if identifier == inIdent:
                return value
        raise InputError(f"Invalid Choice: {inIdent}")


class RadioGroup(Choice):
    """A choice in which all things are seen."""


class Flags(Argument):
    """
    Any of several things.

    Args:
        flags: for each, the text that comes back, the value, and a description.
        default: the values that are chosen at first.
    """

    def __init__(
        self,
        name: str,
        flags: Sequence[tuple[Any, Any, str]] = (),
        default: Any = (),
        shortDesc: str | None = None,
        longDesc: str | None = None,
        hints: dict[str, Any] | None = None,
        allowNone: bool | int = 1,
    ) -> None:
        self.flags = flags
        super().__init__(name, default, shortDesc, longDesc, hints, allowNone)

    def coerce(self, inFlagKeys: Iterable[Any]) -> list[Any]:
        """The values of all that were chosen."""
        values = {identifier: value for identifier, value, _ in self.flags}
        chosen = []
        for key in inFlagKeys:
            if key not in values:
                raise InputError(f"Invalid Flag: {key}")
            chosen.append(values[key])
        return chosen


class CheckGroup(Flags):
    """Flags all of which are seen."""


class Boolean(Argument):
    """Yes or no."""

    def coerce(self, inVal: Any) -> int:
        """1, or 0 of "", "0", "n", "no", "f" and "false", and of whatever is false in Python."""
        return int(bool(inVal) and str(inVal).lower() not in ("0", "n", "no", "f", "false"))


class File(Argument):
    """A file that is sent along."""

    def __init__(
        self,
        name: str,
        allowNone: bool | int = 1,
        shortDesc: str | None = None,
        longDesc: str | None = None,
        hints: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(name, None, shortDesc, longDesc, hints, allowNone)

    def coerce(self, file: Any) -> Any:
        """The file as it came, or None."""
        if not file and self.allowNone:
            return None
        if not file:
            raise InputError("Invalid File")
        return file


class Date(_Field):
    """A day: the texts of year, month and day come back."""

    def coerce(self, args: Sequence[Any]) -> tuple[int, int, int] | None:
        """Year, month and day as numbers, or None of three empty fields."""
        if self.allowNone and tuple(args) == ("", "", ""):
            return None
        try:
            year, month, day = (positiveInt(part) for part in args)
            datetime.date(year, month, day)
        except ValueError:
            raise InputError("Invalid date") from None
        return year, month, day


class Submit(Choice):
    """
    The buttons that send the form.

    Args:
        choices: as of `Choice`.
        reset: whether there is one that empties it.
    """

    def __init__(
        self,
        name: str,
        choices: Sequence[tuple[Any, Any, str]] = [("Submit", "submit", "Submit form")],
        reset: bool | int = 0,
        shortDesc: str | None = None,
        longDesc: str | None = None,
        allowNone: bool | int = 0,
        hints: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(
            name,
            choices=choices,
            shortDesc=shortDesc,
            longDesc=longDesc,
            hints=hints,
            allowNone=allowNone,
        )
        self.reset = reset

    def coerce(self, value: Any) -> Any:
        """The value of the button, or None if none was used and that is allowed."""
        if self.allowNone and not value:
            return None
        return super().coerce(value)


class PresentationHint:
    """A hint for whatever shows the form."""


class MethodSignature:
    """
    What a function takes.

    Args:
        sigList: its arguments, in order.
    """

    def __init__(self, *sigList: Argument) -> None:
        self.methodSignature = sigList

    def getArgument(self, name: str) -> Argument | None:
        """The argument of a name, or None."""
        for argument in self.methodSignature:
            if argument.name == name:
                return argument
        return None

    def method(self, callable: Callable[..., Any], takesRequest: bool = False) -> FormMethod:
        """The function `callable` with this signature."""
        return FormMethod(self, callable, takesRequest)


class FormMethod:
    """
    A function and what it takes.

    Args:
        signature: what it takes.
        callable: the function.
        takesRequest: whether the request is its first argument.
    """

    def __init__(
        self, signature: MethodSignature, callable: Callable[..., Any], takesRequest: bool = False
    ) -> None:
        self.signature = signature
        self.callable = callable
        self.takesRequest = takesRequest

    def getArgs(self) -> tuple[Argument, ...]:
        """Its arguments."""
        return tuple(self.signature.methodSignature)

    def call(self, *args: Any, **kw: Any) -> Any:
        """Call the function."""
        return self.callable(*args, **kw)
