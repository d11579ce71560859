"""The video pipeline: filter, saliency, block-sparse weights and a sparse engine together, on a synthetic video."""

from .backbone import block_sparse, detector_resnet18
from .cost import Work
from .figures import plot_study
from .frame_filter import FilterSettings
from .pipeline import Flow
from .quality import Quality, tracking_quality
from .run import PipelineRun
from .saliency import SaliencySettings
from .scene import Scene, Video
from .study import ALL, COMBINATIONS, DENSE, SINGLE, Levers, VideoDesign, VideoResult, VideoRow, VideoStudy, video_study

__all__ = [
    "ALL", "COMBINATIONS", "DENSE", "SINGLE", "FilterSettings", "Flow", "Levers", "PipelineRun", "Quality",
    "SaliencySettings", "Scene", "Video", "VideoDesign", "VideoResult", "VideoRow", "VideoStudy", "Work",
    "block_sparse", "detector_resnet18", "plot_study", "tracking_quality", "video_study",
]  # fmt: skip
