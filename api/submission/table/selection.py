"""Selection of rows: values filled down within a group, and the rows that a campaign takes.

A product over several rows, as shops export them, names its title in the first row only. `fill_down` copies the value
above into empty cells while `group` stays the same; `where` then leaves out rows that are no image to make.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from api.edge.problems import Complaint
from api.submission.table.columns import missing_column
from workers.sheets.names import clean_name

Condition = Callable[[Sequence[str]], bool]


class RowSelection:
    """Reads rows in their order, once. `complaints` lists columns that are not there."""

    def __init__(
        self, places: Mapping[str, int], *, fill_down: Sequence[str], group: str, where: Sequence[str]
    ) -> None:
        self.complaints: list[Complaint] = []
        self._places = places
        self._condition_places: list[int] = []
        self._filled = [place for name in fill_down if (place := self._place(name, "fill_down")) is not None]
        self._group = self._place(group, "group") if group else None
        self._conditions = [one for text in where if (one := self._condition(text)) is not None]
        self._above: dict[int, str] = {}
        self._last_group = ""
        group_places = () if self._group is None else (self._group,)
        self.used = frozenset((*self._filled, *group_places, *self._condition_places))

    @property
    def idle(self) -> bool:
        """Whether it changes nothing."""
        return not (self._filled or self._conditions)

    def take(self, cells: list[str]) -> bool:
        """Fill the cells of the next row in place, and say whether the row is taken."""
        if self._group is not None:
            group = cells[self._group].strip()
            if group and group != self._last_group:
                self._above.clear()
                self._last_group = group
            elif not group:
                cells[self._group] = self._last_group
        for place in self._filled:
            if cells[place].strip():
                self._above[place] = cells[place]
            else:
                cells[place] = self._above.get(place, "")
        return all(condition(cells) for condition in self._conditions)

    def _place(self, name: str, field: str) -> int | None:
        place = self._places.get(clean_name(name))
        if place is None:
            self.complaints.append(missing_column(name, self._places, field))
        return place

    def _condition(self, text: str) -> Condition | None:
        """ "Size": filled. "!Size": empty. "Status=active|draft": one of them. "Status!=draft": none of them."""
        place, sign, values = self._split(clean_name(text))
        if place is None:
            self.complaints.append(missing_column(text, self._places, "where"))
            return None
        self._condition_places.append(place)
        if sign == "filled":
            return lambda cells: bool(cells[place].strip())
        if sign == "empty":
            return lambda cells: not cells[place].strip()
        known = frozenset(value.strip().casefold() for value in values.split("|"))
        wanted = sign == "="
        return lambda cells: (cells[place].strip().casefold() in known) is wanted

    def _split(self, text: str) -> tuple[int | None, str, str]:
        """Any name of a column can be asked for: the longest one that fits is taken."""
        if text in self._places:
            return self._places[text], "filled", ""
        if text.startswith("!") and (place := self._places.get(text[1:].strip())) is not None:
            return place, "empty", ""
        for at in range(len(text) - 1, 0, -1):
            if text[at] == "=":
                sign = "!=" if text[at - 1] == "!" else "="
                name = text[: at - len(sign) + 1].rstrip()
                if name in self._places:
                    return self._places[name], sign, text[at + 1 :]
        return None, "", ""
