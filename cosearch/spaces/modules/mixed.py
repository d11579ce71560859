"""Modules whose candidates share one network: each `Mixed` is a slot's place, a `SharedModule` the whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from ....errors import BadInput

__all__ = ["Mixed", "Nothing", "SharedModule"]


class Nothing(nn.Module):
    """The candidate that brings nothing: where it stands alone, its place is left out."""

    def forward(self, images: Tensor) -> Tensor:
        """Zeros."""
        return images * 0.0


class Mixed(nn.Module):
    """The candidates for one place, of which some are active, each with its gate.

    A place whose only active candidate is `Nothing` gives None, so that whoever reads it can leave it out as the
    network that is built alone does.
    """

    def __init__(self, slot: str, candidates: Sequence[nn.Module]) -> None:
        super().__init__()
        self.slot = slot
        self.candidates = nn.ModuleList(candidates)
        self.active: tuple[tuple[int, Tensor | None], ...] = ((0, None),)

    def forward(self, images: Tensor) -> Tensor | None:
        """The sum of the active candidates' outputs, each times its gate (None: 1)."""
        total: Tensor | None = None
        for index, gate in self.active:
            candidate = self.candidates[index]
            if isinstance(candidate, Nothing):
                continue
            output: Tensor = candidate(images)
            output = output if gate is None else output * gate
            total = output if total is None else total + output
        return total


class SharedModule(nn.Module):
    """A network with several candidates in its slots; `pick` makes it one of its networks."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body
        self._places: dict[str, list[Mixed]] = {}
        for part in body.modules():
            if isinstance(part, Mixed):
                self._places.setdefault(part.slot, []).append(part)

    def forward(self, images: Tensor) -> Tensor:
        """Class scores (n, classes) of images (n, channels, height, width), by the active candidates."""
        scores: Tensor = self.body(images)
        return scores

    def pick(self, path: Mapping[str, int]) -> None:
        """Only candidate ``path[slot]`` is active in each slot."""
        self.mix({slot: ((index, None),) for slot, index in path.items()})

    def mix(self, active: Mapping[str, tuple[tuple[int, Tensor | None], ...]]) -> None:
        """The active candidates of each slot and their gates; `BadInput` where the slots are not this network's."""
        if active.keys() != self._places.keys():
            raise BadInput(f"the slots are {', '.join(self._places)}; given are {', '.join(active)}")
        for slot, places in self._places.items():
            for place in places:
                place.active = active[slot]
