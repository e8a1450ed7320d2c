"""A dictionary of settings with attribute access."""

import difflib
import json
from collections.abc import ItemsView, Iterator, KeysView, ValuesView
from typing import Any


class Config:
    """Named values, read and set as attributes or as items, that can be frozen.

    Args:
        **kwargs: The first values.

    Raises:
        ValueError: A frozen config is changed.
        AttributeError: An unknown name is read.

    Example:

    >>> import minikeras
    >>> config = minikeras.utils.Config(learning_rate=0.1)
    >>> config.seed = 123
    >>> config["seed"], config.learning_rate
    (123, 0.1)
    >>> config.to_json()
    '{"learning_rate": 0.1, "seed": 123}'
    """

    def __init__(self, **kwargs: Any) -> None:
        object.__setattr__(self, "_config", kwargs)
        object.__setattr__(self, "_frozen", False)

    @property
    def frozen(self) -> bool:
        """Whether changes are refused."""
        return self._frozen

    def freeze(self) -> None:
        """Refuses changes from now on."""
        object.__setattr__(self, "_frozen", True)

    def unfreeze(self) -> None:
        """Allows changes again."""
        object.__setattr__(self, "_frozen", False)

    def _changeable(self) -> dict[str, Any]:
        if self._frozen:
            raise ValueError("The config is frozen. Call `unfreeze()` before changing it.")
        return self._config

    def as_dict(self) -> dict[str, Any]:
        """Returns the values as a new dictionary."""
        return dict(self._config)

    def to_json(self) -> str:
        """Returns the values as JSON."""
        return json.dumps(self._config)

    def keys(self) -> KeysView[str]:
        """Returns the names."""
        return self._config.keys()

    def values(self) -> ValuesView[Any]:
        """Returns the values."""
        return self._config.values()

    def items(self) -> ItemsView[str, Any]:
        """Returns pairs of name and value."""
        return self._config.items()

    def get(self, keyname: str, value: Any = None) -> Any:
        """Returns the value of a name, or `value` if there is none."""
        return self._config.get(keyname, value)

    def pop(self, *args: Any) -> Any:
        """Removes a name and returns its value, as `dict.pop` does."""
        return self._changeable().pop(*args)

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Sets several values, as `dict.update` does."""
        self._changeable().update(*args, **kwargs)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in dir(type(self)):
            raise AttributeError(f"{name!r} is a part of Config itself. Use config[{name!r}] = ...")
        self._changeable()[name] = value

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "_config" not in self.__dict__:
            raise AttributeError(name)
        if name in self._config:
            return self._config[name]
        near = difflib.get_close_matches(name, self._config, n=1, cutoff=0.7)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise AttributeError(f"The config has no value named {name!r}.{hint}")

    def __setitem__(self, key: str, item: Any) -> None:
        self._changeable()[key] = item

    def __getitem__(self, key: str) -> Any:
        return self._config[key]

    def __delitem__(self, key: str) -> None:
        del self._changeable()[key]

    def __contains__(self, item: object) -> bool:
        return item in self._config

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._config))

    def __len__(self) -> int:
        return len(self._config)

    def __repr__(self) -> str:
        return f"<Config {self._config}>"
