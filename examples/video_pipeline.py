"""Objects tracked in a video at a fraction of the time and energy: what each lever of a pipeline brings.

A camera, a temporal filter, spatial saliency, a DMA, a block-sparse engine and a tracker in simulated time, with every
lever on or off; after Zhang et al., "Data-Model-Hardware Tri-Design for Energy-Efficient Video Intelligence",
arXiv:2210.08578, 2022. Everything is computed from the pixels of a synthetic video; takes a few minutes.

    python examples/video_pipeline.py [--few] [PICTURE.png]

``--few`` runs the dense pipeline, each lever alone and all of them together, a third of the sixteen combinations.
"""

import sys

from dovetail.cosearch.video import ALL, COMBINATIONS, DENSE, SINGLE, VideoResult, plot_study, video_study


def show(result: VideoResult) -> None:
    """Print a row per combination of levers, the levers' product, and where all together still wait and work."""
    reference = result.study.reference
    print(f"tracks of the dense run: F1 {reference.f1:.3f}, overlap {reference.iou:.3f}\n")
    print(f"{'levers':<38}{'kept':>6}{'area':>6}{'latency':>10}{'frames/s':>10}{'power':>9}{'energy':>10}"
          f"{'F1 loss':>9}{'IoU loss':>9}")  # fmt: skip
    for row in result.table().to_dict("records"):
        print(
            f"{row['levers']:<38}{row['kept']:>6.0%}{row['area']:>6.0%}{row['latency_s'] * 1e3:>7.2f} ms"
            f"{row['frames_per_s']:>10.0f}{row['power_w'] * 1e3:>6.1f} mW{row['energy_j'] * 1e3:>7.2f} mJ"
            f"{row['f1_loss_pct']:>7.2f} %{row['iou_loss_pct']:>7.2f} %"
        )
    gains, product = result.gains(ALL), result.product()
    print(f"\n{'':<22}{'latency':>9}{'frame rate':>12}{'power':>9}{'energy':>9}")
    for title, found in (("all levers together", gains), ("product of the three", product)):
        print(f"{title:<22}{found['latency_s']:>8.1f}x{found['frames_per_s']:>11.1f}x{found['power_w']:>8.1f}x"
              f"{found['energy_j']:>8.1f}x")  # fmt: skip
    for levers in (DENSE, ALL):
        print(f"\nstages as fast as they go, {levers.name}:")
        for stage in result.row(levers).recorded.stage_rows():
            mean, most = stage["mean_wait_s"] * 1e6, stage["longest_wait_s"] * 1e6
            print(f"  {stage['stage']:<10}busy {stage['busy']:>6.2%}  blocked {stage['blocked']:>6.2%}  "
                  f"waited for {mean:>6.1f} us, at most {most:,.0f} us")  # fmt: skip


def main() -> None:
    """Run the study; with a path, draw it."""
    pictures = [argument for argument in sys.argv[1:] if argument != "--few"]
    few = len(pictures) < len(sys.argv) - 1
    result = video_study(combinations=(*SINGLE, ALL) if few else COMBINATIONS)
    show(result)
    if pictures:
        print(f"\n{plot_study(result, pictures[0])}")


if __name__ == "__main__":
    main()
