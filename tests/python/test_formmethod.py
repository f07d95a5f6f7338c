"""What a function takes, described well enough to make a form of it."""

from __future__ import annotations

from typing import Any

import pytest

from reactorlib.python import formmethod as form

CHOICES = [("a", 1, "an A"), ("b", 2, "a B")]


@pytest.mark.parametrize(
    ("argument", "given", "value"),
    [
        (form.String("n"), "text", "text"),
        (form.String("n"), 1, "1"),
        (form.Integer("n"), "-2", -2),
        (form.Integer("n"), " ", None),
        (form.Float("n"), "2.5", 2.5),
        (form.Float("n"), "", None),
        (form.IntegerRange("n", 1, 3), "3", 3),
        (form.IntegerRange("n", 1, 3), "", None),
        (form.Choice("n", CHOICES), "b", 2),
        (form.Submit("n", CHOICES), "a", 1),
        (form.Submit("n", CHOICES, allowNone=1), "", None),
        (form.Flags("n", CHOICES), ["b", "a"], [2, 1]),
        (form.Flags("n", CHOICES), [], []),
        (form.Boolean("n"), "yes", 1),
        (form.Boolean("n"), "No", 0),
        (form.Boolean("n"), "N", 0),
        (form.Boolean("n"), "f", 0),
        (form.Boolean("n"), "False", 0),
        (form.Boolean("n"), "0", 0),
        (form.Boolean("n"), "off", 1),
        (form.Boolean("n"), " no", 1),
        (form.Boolean("n"), "", 0),
        (form.Boolean("n"), None, 0),
        (form.File("n"), "content", "content"),
        (form.File("n"), None, None),
        (form.Date("n"), ("1996", "2", "29"), (1996, 2, 29)),
        (form.Date("n"), ("", "", ""), None),
        (form.VerifiedPassword("n"), ("ab", "ab"), "ab"),
    ],
)
def test_answers(argument: form.Argument, given: Any, value: Any) -> None:
    assert argument.coerce(given) == value


@pytest.mark.parametrize(
    ("argument", "given", "text"),
    [
        (form.String("n", min=2), "a", "at least 2 characters"),
        (form.String("n", max=2), "abc", "at most 2 characters"),
        (form.Integer("n"), "2.3", "2.3 is not valid, please enter a whole number"),
        (form.Integer("n", allowNone=0), "", "please enter a whole number"),
        (form.Float("n"), "x", "Invalid float: x"),
        (form.IntegerRange("n", 1, 3), "0", "too small, it should be at least 1"),
        (form.IntegerRange("n", 1, 3), "4", "too large, it should be at most 3"),
        (form.Choice("n", CHOICES), "c", "Invalid Choice: c"),
        (form.Flags("n", CHOICES), ["a", "c"], "Invalid Flag: c"),
        (form.File("n", allowNone=0), None, "Invalid File"),
        (form.Date("n"), ("2002", "2", "29"), "Invalid date"),
        (form.Date("n"), ("2002", "2"), "Invalid date"),
        (form.Date("n"), ("0", "1", "1"), "Invalid date"),
        (form.Date("n", allowNone=0), ("", "", ""), "Invalid date"),
        (form.VerifiedPassword("n"), ("a", "b"), "the same password twice"),
        (form.VerifiedPassword("n"), ("a",), "the same password twice"),
        (form.VerifiedPassword("n", min=2), ("a", "a"), "at least 2"),
    ],
)
def test_wrong_answers(argument: form.Argument, given: Any, text: str) -> None:
    with pytest.raises(form.InputError, match=text):
        argument.coerce(given)


def test_arguments_describe_themselves() -> None:
    argument = form.String("name", hints={"a": 1})
    argument.addHints(b=2)
    assert (argument.getHint("a"), argument.getHint("b"), argument.getHint("c", 3)) == (1, 2, 3)
    assert (argument.getShortDescription(), argument.getLongDescription()) == ("Name", "")
    assert argument.default == ""
    described = form.Text("name", "x", "Your name", "All of it.")
    assert described.getShortDescription() == "Your name"
    assert described.getLongDescription() == "All of it."
    assert form.RadioGroup("n", CHOICES).default == [1]
    with pytest.raises(NotImplementedError, match="Argument does not implement coerce"):
        form.Argument("n").coerce("")


def test_a_function_with_its_arguments() -> None:
    name, age = form.String("name"), form.Integer("age")
    signature = form.MethodSignature(name, age)
    method = signature.method(lambda *args, **kw: (args, kw), takesRequest=True)
    assert method.getArgs() == (name, age)
    assert method.takesRequest
    assert method.call(1, age=2) == ((1,), {"age": 2})
    assert signature.getArgument("age") is age
    assert signature.getArgument("other") is None


def test_errors_of_several_fields() -> None:
    assert form.FormException("no", age="too small").descriptions == {"age": "too small"}


@pytest.mark.parametrize("wrong", ["0", "-1", "x", ""])
def test_numbers_above_0(wrong: str) -> None:
    assert form.positiveInt("3") == 3
    with pytest.raises(ValueError, match=r"above 0|invalid literal"):
        form.positiveInt(wrong)
