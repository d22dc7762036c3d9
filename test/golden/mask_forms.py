"""Compares mask.dicom and mask.tif of a folder of results with its mask.ome.zarr, by other people's readers.

usage: mask_forms.py <out>/<slide> [<slide's DICOM folder>]
needs: numpy, zarr (or tifffile alone), tifffile, imagecodecs, openslide-python, openslide-bin, pydicom, highdicom
"""

import gzip
import json
import sys
from pathlib import Path

import highdicom
import numpy
import openslide
import pydicom
import tifffile


def stored(folder: Path, level: int) -> numpy.ndarray:
    """The mask as Zarr v2 says it lies: row/column chunks, gzip, absent ones 0."""
    about = json.loads((folder / "mask.ome.zarr" / str(level) / ".zarray").read_text())
    height, width = about["shape"]
    side = about["chunks"][0]
    rows, cols = -(-height // side), -(-width // side)
    mask = numpy.zeros((rows * side, cols * side), numpy.uint8)
    for row in range(rows):
        for col in range(cols):
            chunk = folder / "mask.ome.zarr" / str(level) / str(row) / str(col)
            if chunk.exists():
                pixels = numpy.frombuffer(gzip.decompress(chunk.read_bytes()), numpy.uint8).reshape(side, side)
                mask[row * side : (row + 1) * side, col * side : (col + 1) * side] = pixels
    return mask[:height, :width]


def check_tiff(folder: Path) -> None:
    path = folder / "mask.tif"
    with tifffile.TiffFile(path) as tiff:
        levels = tiff.series[0].levels
        for level, page in enumerate(levels):
            assert (page.asarray() == 2 * stored(folder, level)).all(), f"tifffile, level {level}"
        print(f"mask.tif: tifffile {tifffile.__version__} reads {len(levels)} levels, equal bit for bit")
    slide = openslide.OpenSlide(str(path))
    mask = stored(folder, 0)
    shown = numpy.asarray(slide.read_region((0, 0), 0, slide.dimensions))[..., 0]
    assert (shown == 2 * mask).all(), "openslide"
    summary = json.loads((folder / "summary.json").read_text())
    spacing = float(slide.properties["openslide.mpp-x"])
    assert abs(spacing / summary["mpp"] - 1) < 1e-4, spacing
    print(f"mask.tif: openslide {openslide.__library_version__} reads {slide.level_count} levels at {spacing:.4f} um, equal")


def check_dicom(folder: Path, source: Path | None) -> None:
    files = sorted((folder / "mask.dicom").glob("*.dcm"))
    for path in files:
        segmentation = highdicom.seg.segread(path)
        factor = 2 ** int(path.stem.split("-")[1]) if len(files) > 1 else 1
        level = next(i for i in range(9) if stored(folder, i).shape[1] == segmentation.TotalPixelMatrixColumns)
        mask = stored(folder, level)
        matrix = segmentation.get_total_pixel_matrix(combine_segments=True)
        assert (matrix == mask).all(), path.name
        raw = pydicom.dcmread(path)
        assert int(raw.pixel_array.sum()) == int(mask.sum()), "pydicom"
        print(
            f"{path.name}: highdicom {highdicom.__version__}, pydicom {pydicom.__version__}: {raw.DimensionOrganizationType}, "
            f"{raw.NumberOfFrames} frames, {int(mask.sum())} pixels, equal bit for bit"
        )
        assert segmentation.segmentation_type.value == "BINARY" and segmentation.number_of_segments == 1
        assert not raw.PatientName and not raw.PatientID
        if source:
            images = [pydicom.dcmread(f, stop_before_pixels=True) for f in sorted(source.glob("*.dcm"))]
            match = [i for i in images if i.TotalPixelMatrixColumns == segmentation.TotalPixelMatrixColumns]
            assert match, "no level of its size"
            for name in ("StudyInstanceUID", "FrameOfReferenceUID", "ImageOrientationSlide"):
                assert raw[name].value == match[0][name].value, name
            assert raw.ReferencedSeriesSequence[0].SeriesInstanceUID == match[0].SeriesInstanceUID
            of = {r.ReferencedSOPInstanceUID for r in raw.ReferencedSeriesSequence[0].ReferencedInstanceSequence}
            assert of == {i.SOPInstanceUID for i in match}
            spacing = raw.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing
            stated = match[0].SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing
            assert numpy.allclose(spacing, stated, rtol=1e-3), (spacing, stated)
            print(f"{path.name}: refers to the slide's series, instances, frame of reference and spacing")


results = Path(sys.argv[1])
if (results / "mask.tif").exists():
    check_tiff(results)
if (results / "mask.dicom").exists():
    check_dicom(results, Path(sys.argv[2]) if len(sys.argv) > 2 else None)
