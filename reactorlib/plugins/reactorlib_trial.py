"""The reporters that `--reporter` chooses from; each says where its class is."""

from __future__ import annotations

from zope.interface import implementer

from reactorlib.plugin import IPlugin
from reactorlib.trial.itrial import IReporter


@implementer(IPlugin, IReporter)
class _Reporter:  # type: ignore[misc]  # it is not a reporter, but says where one is
    """
    Where a reporter is.

    Args:
        name: what people call it.
        module: the full name of the module that it is in.
        description: what it is, in a line for the user.
        longOpt: the name by which it is chosen.
        shortOpt: a letter; it has no use any more.
        klass: the name of the class in the module.
    """

    def __init__(
        self,
        name: str,
        module: str,
        description: str,
        longOpt: str,
        shortOpt: str | None,
        klass: str,
    ) -> None:
        self.name = name
        self.module = module
        self.description = description
        self.longOpt = longOpt
        self.shortOpt = shortOpt
        self.klass = klass


Tree = _Reporter(
    "Tree Reporter",
    "reactorlib.trial.reporter",
    description="verbose color output (default reporter)",
    longOpt="verbose",
    shortOpt="v",
    klass="TreeReporter",
)

BlackAndWhite = _Reporter(
    "Black-And-White Reporter",
    "reactorlib.trial.reporter",
    description="Colorless verbose output",
    longOpt="bwverbose",
    shortOpt="o",
    klass="VerboseTextReporter",
)

Minimal = _Reporter(
    "Minimal Reporter",
    "reactorlib.trial.reporter",
    description="minimal summary output",
    longOpt="summary",
    shortOpt="s",
    klass="MinimalReporter",
)

Classic = _Reporter(
    "Classic Reporter",
    "reactorlib.trial.reporter",
    description="terse text output",
    longOpt="text",
    shortOpt="t",
    klass="TextReporter",
)

Timing = _Reporter(
    "Timing Reporter",
    "reactorlib.trial.reporter",
    description="Timing output",
    longOpt="timing",
    shortOpt=None,
    klass="TimingTextReporter",
)

Subunit = _Reporter(
    "Subunit Reporter",
    "reactorlib.trial.reporter",
    description="subunit output",
    longOpt="subunit",
    shortOpt=None,
    klass="SubunitReporter",
)
