"""Life cycles of estimated designs: from an `Estimate` and a deployment to energy and carbon by phase."""

from .account import life_cycle
from .deployment import Deployment

__all__ = ["Deployment", "life_cycle"]
