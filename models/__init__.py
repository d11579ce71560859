"""Networks: operators, descriptions from zoo, YAML, torch and ONNX, and what can be done to them."""

from __future__ import annotations

from .activations import measure_activations
from .allocation import Allocation, allocate, allocation_front
from .builder import NetworkBuilder
from .distortion import distortion_curves
from .from_onnx import from_onnx
from .from_torch import from_torch
from .load import list_networks, load_network, network_options
from .network import Layer, Network
from .occupancy import Occupancy
from .op import Op, Rank, Tensor, VectorOp, batched_matmul, conv2d, linear, transposed_conv2d
from .patterns import Banded, Blocks, Measured, NofM, Pattern, Uniform
from .pruning import (
    ChannelGroup,
    channel_groups,
    prune,
    prune_blocks,
    prune_channels,
    prune_n_of_m,
    remove_channels,
    with_structure,
)
from .quantising import quantise, with_layer_bits
from .transforms import with_batch, with_bits, with_densities, with_patterns
from .validate_counts import CountRow, network_counts
from .yaml_io import network_from_yaml, network_schema, network_to_yaml
from .zoo.mobilenet import IbnBlock, ibn_network

__all__ = [
    "Allocation",
    "Banded",
    "Blocks",
    "ChannelGroup",
    "CountRow",
    "IbnBlock",
    "Layer",
    "Measured",
    "Network",
    "NetworkBuilder",
    "NofM",
    "Occupancy",
    "Op",
    "Pattern",
    "Rank",
    "Tensor",
    "Uniform",
    "VectorOp",
    "allocate",
    "allocation_front",
    "batched_matmul",
    "channel_groups",
    "conv2d",
    "distortion_curves",
    "from_onnx",
    "from_torch",
    "ibn_network",
    "linear",
    "list_networks",
    "load_network",
    "measure_activations",
    "network_counts",
    "network_from_yaml",
    "network_options",
    "network_schema",
    "network_to_yaml",
    "prune",
    "prune_blocks",
    "prune_channels",
    "prune_n_of_m",
    "quantise",
    "remove_channels",
    "transposed_conv2d",
    "with_batch",
    "with_bits",
    "with_densities",
    "with_layer_bits",
    "with_patterns",
    "with_structure",
]
