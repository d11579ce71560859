"""Training runs on training hardware: recipes, data-parallel devices, what a run takes and spends."""

from __future__ import annotations

from .links import Link, link_names, link_of, load_link
from .parallel import Bucket, Exchange, exchange_gradients, ring_all_reduce_s
from .recipes import Recipe, load_recipe, recipe_names, recipe_of
from .result import TrainingEstimate
from .run import estimate_training

__all__ = [
    "Bucket",
    "Exchange",
    "Link",
    "Recipe",
    "TrainingEstimate",
    "estimate_training",
    "exchange_gradients",
    "link_names",
    "link_of",
    "load_link",
    "load_recipe",
    "recipe_names",
    "recipe_of",
    "ring_all_reduce_s",
]
