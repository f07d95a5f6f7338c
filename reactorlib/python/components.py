"""
Adapters: seeing an object through an interface that it does not provide itself.

`registerAdapter` tells how; from then on `ISomething(thing)` finds it, for that is
how zope.interface asks. A `Componentized` object keeps the adapters made for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from zope.interface import interface
from zope.interface.adapter import AdapterRegistry
from zope.interface.declarations import classImplements, implementedBy, providedBy

__all__ = [
    "ALLOW_DUPLICATES",
    "Adapter",
    "CannotAdapt",
    "Componentized",
    "ReprableComponentized",
    "getAdapterFactory",
    "getRegistry",
    "globalRegistry",
    "proxyForInterface",
    "registerAdapter",
]

#: Whether an adapter may be registered over another one.
ALLOW_DUPLICATES = False

#: What `registerAdapter` fills.
globalRegistry: Any = AdapterRegistry()

#: What `ISomething(thing)` raises where there is no adapter; zope.interface decides.
CannotAdapt = TypeError

_Hook = Callable[[Any, object], object]

# What zope.interface leaves untyped.
_implemented: Callable[[Any], Any] = implementedBy
_implements: Callable[..., None] = classImplements


def _specification(of: Any) -> Any:
    """An interface as it is, a class as what it implements."""
    return of if isinstance(of, interface.InterfaceClass) else _implemented(of)


def registerAdapter(
    adapterFactory: Callable[[Any], Any], origInterface: Any, *interfaceClasses: Any
) -> None:
    """
    Say what makes a class, or whatever provides an interface, into something else.

    Args:
        adapterFactory: called with the original; returns what provides the
            interfaces, or None if it cannot.
        origInterface: the class or interface that is adapted.
        interfaceClasses: the interfaces that it is adapted to.

    Raises:
        ValueError: no interface is given, or there is an adapter already.
    """
    if not interfaceClasses:
        raise ValueError("registerAdapter() needs an interface to adapt to")
    original = _specification(origInterface)
    if not ALLOW_DUPLICATES:
        for wanted in interfaceClasses:
            there = globalRegistry.registered([original], wanted)
            if there is not None:
                raise ValueError(f"{there!r} adapts {origInterface!r} to {wanted.__name__} already")
    for wanted in interfaceClasses:
        globalRegistry.register([original], wanted, "", adapterFactory)


def getAdapterFactory(fromInterface: Any, toInterface: Any, default: Any) -> Any:
    """
    What `registerAdapter` was told, for a class or interface or what it inherits from.

    Args:
        fromInterface: the class or interface to adapt.
        toInterface: the interface to adapt it to.
        default: returned if nothing is registered.
    """
    found = globalRegistry.lookup1(_specification(fromInterface), toInterface)
    return default if found is None else found


def getRegistry() -> Any:
    """The registry that `registerAdapter` fills."""
    return globalRegistry


def _add_hook(registry: Any) -> _Hook:
    """Have `ISomething(thing)` ask `registry`; returns what `_remove_hook` takes."""

    def adapt(wanted: Any, ob: object) -> object:
        factory = registry.lookup1(providedBy(ob), wanted)
        return None if factory is None else factory(ob)

    interface.adapter_hooks.append(adapt)
    return adapt


def _remove_hook(hook: _Hook) -> None:
    interface.adapter_hooks.remove(hook)


_addHook = _add_hook
_removeHook = _remove_hook

_add_hook(globalRegistry)


class Adapter:
    """
    A base for adapters: keeps the original, and adapts as it does.

    Attributes:
        temporaryAdapter: if true, a `Componentized` makes a new one each time.
        multiComponent: if true, a `Componentized` uses the same one for all
            interfaces that it is registered for.
        original: what is adapted.
    """

    temporaryAdapter = 0
    multiComponent = 1

    def __init__(self, original: Any) -> None:
        self.original = original

    def __conform__(self, interface: Any) -> Any:
        conform = getattr(self.original, "__conform__", None)
        return None if conform is None else conform(interface)

    def isuper(self, iface: Any, adapter: Any) -> Any:
        """Ask the original for `isuper`."""
        return self.original.isuper(iface, adapter)


class Componentized:
    """
    An object made of components, one for each interface.

    A component is set, or made by the registered adapter when it is first asked
    for, and kept: `ISomething(this)` gives the same object each time.
    """

    persistenceVersion = 1

    def __init__(self) -> None:
        self._components: dict[Any, Any] = {}

    def locateAdapterClass(self, klass: Any, interfaceClass: Any, default: Any) -> Any:
        """As `getAdapterFactory`; subclasses may look elsewhere."""
        return getAdapterFactory(klass, interfaceClass, default)

    def setAdapter(self, interfaceClass: Any, adapterClass: Callable[[Any], Any]) -> None:
        """Make the component for one interface with an adapter class."""
        self.setComponent(interfaceClass, adapterClass(self))

    def addAdapter(self, adapterClass: Callable[[Any], Any], ignoreClass: Any = 0) -> Any:
        """
        Make a component with an adapter class, and add it as `addComponent` does.

        Returns:
            the component.
        """
        adapter = adapterClass(self)
        self.addComponent(adapter, ignoreClass)
        return adapter

    def setComponent(self, interfaceClass: Any, component: Any) -> None:
        """Set the component for one interface."""
        self._components[interfaceClass] = component

    def addComponent(self, component: Any, ignoreClass: Any = 0) -> None:
        """
        Set the component for the interfaces that it provides.

        Args:
            component: the component.
            ignoreClass: if false, only those for which its class is registered as
                the adapter.
        """
        for provided in providedBy(component):
            if ignoreClass or (
                self.locateAdapterClass(self.__class__, provided, None) == component.__class__
            ):
                self._components[provided] = component

    def unsetComponent(self, interfaceClass: Any) -> None:
        """
        Forget the component for one interface.

        Raises:
            KeyError: there is none.
        """
        del self._components[interfaceClass]

    def removeComponent(self, component: Any) -> list[Any]:
        """Forget a component. Returns the interfaces that it was there for."""
        gone = [key for key, value in self._components.items() if value is component]
        for key in gone:
            del self._components[key]
        return gone

    def getComponent(self, interface: Any, default: Any = None) -> Any:
        """
        The component for an interface; made if an adapter is registered.

        Args:
            interface: the interface.
            default: returned if there is none.
        """
        try:
            return self._components[interface]
        except KeyError:
            pass
        adapter = self.locateAdapterClass(self.__class__, interface, None)
        component = None if adapter is None else adapter(self)
        if component is None:
            return default
        if not getattr(adapter, "temporaryAdapter", False):
            if getattr(adapter, "multiComponent", False):
                self.addComponent(component)
            else:
                self._components[interface] = component
        return component

    def __conform__(self, interface: Any) -> Any:
        return self.getComponent(interface)


class ReprableComponentized(Componentized):
    """A `Componentized` whose repr shows its components."""

    def __repr__(self) -> str:
        parts = ", ".join(
            f"{getattr(key, '__identifier__', key)}: {value!r}"
            for key, value in self._components.items()
        )
        return f"<{self.__class__.__name__} with {{{parts}}}>"


def proxyForInterface(iface: Any, originalAttribute: str = "original") -> type[Any]:
    """
    Make a class that provides an interface by asking another object.

    It is a base to override some of the methods in.

    Args:
        iface: the interface; what it declares is all that the proxy passes on.
        originalAttribute: the attribute of the proxy that holds the other object.

    Returns:
        the class, to be called with the other object.
    """

    def __init__(self: Any, original: Any) -> None:
        setattr(self, originalAttribute, original)

    contents: dict[str, Any] = {"__init__": __init__}
    for name in iface:
        contents[name] = _ProxyDescriptor(name, originalAttribute)
    proxy = type(f"(Proxy for {iface.__module__}.{iface.__name__})", (object,), contents)
    _implements(proxy, iface)
    return proxy


class _ProxiedMethod:
    """A method of a proxy, got from its class: passes the call on to the original."""

    def __init__(self, name: str, original: str) -> None:
        self.__name__ = name
        self._original = original

    def __call__(self, proxy: Any, *args: Any, **kw: Any) -> Any:
        return getattr(getattr(proxy, self._original), self.__name__)(*args, **kw)


class _ProxyDescriptor:
    """An attribute of a proxy, which is that of its original."""

    def __init__(self, name: str, original: str) -> None:
        self._name = name
        self._original = original

    def __get__(self, proxy: Any, type: Any = None) -> Any:
        if proxy is None:
            return _ProxiedMethod(self._name, self._original)
        return getattr(getattr(proxy, self._original), self._name)

    def __set__(self, proxy: Any, value: Any) -> None:
        setattr(getattr(proxy, self._original), self._name, value)

    def __delete__(self, proxy: Any) -> None:
        delattr(getattr(proxy, self._original), self._name)
