"""Figures of merit that weigh carbon, energy and delay together.

U. Gupta et al., "ACT: Designing Sustainable Computer Systems With An Architectural Carbon Modeling Tool", ISCA 2022,
Table 2 (CDP, CEP, C2EP, CE2P: C the embodied carbon of the hardware); M. Elgamal et al., "CORDOBA: Carbon-Efficient
Optimization Framework for Computing Systems", 2023 (tCDP: the total carbon times the delay).
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DelayMetrics"]


@dataclass(frozen=True)
class DelayMetrics:
    """Products of a device's embodied carbon (kg), the energy (J) and the delay (s) of one use; smaller is better.

    ``tcdp_kg_s`` takes the carbon of the whole life instead, per use.
    """

    embodied_kg: float
    energy_j: float
    delay_s: float
    total_kg: float

    @property
    def cdp_kg_s(self) -> float:
        """Carbon-delay product."""
        return self.embodied_kg * self.delay_s

    @property
    def cep_kg_j(self) -> float:
        """Carbon-energy product."""
        return self.embodied_kg * self.energy_j

    @property
    def c2ep_kg2_j(self) -> float:
        """Carbon squared times energy."""
        return self.embodied_kg**2 * self.energy_j

    @property
    def ce2p_kg_j2(self) -> float:
        """Carbon times energy squared."""
        return self.embodied_kg * self.energy_j**2

    @property
    def edp_j_s(self) -> float:
        """Energy-delay product."""
        return self.energy_j * self.delay_s

    @property
    def tcdp_kg_s(self) -> float:
        """Total carbon times delay."""
        return self.total_kg * self.delay_s

    def as_dict(self) -> dict[str, float]:
        """All products by name."""
        names = ("cdp_kg_s", "cep_kg_j", "c2ep_kg2_j", "ce2p_kg_j2", "edp_j_s", "tcdp_kg_s")
        return {name: float(getattr(self, name)) for name in names}
