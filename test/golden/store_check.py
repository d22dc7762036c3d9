"""Do other people's tools read what Stromaflow wrote about a slide? Run by hand on the folder of a finished slide.

    python test/golden/store_check.py <out>/<slide> [--napari]
        (pip install ome-zarr zarr ngff-zarr geopandas shapely; with --napari also napari and dask. Seen to pass with ome-zarr 0.18,
        zarr 3.1, ngff-zarr 0.50, geopandas 1.2, shapely 2.2, napari 0.9)

Checks that the OME-Zarr package sees a label image with its resolutions, colours and micrometre scales; that every polygon is
valid by GEOS, the C++ port of the JTS library inside QuPath, and oriented as RFC 7946 wants; and that polygons, mask
and summary agree on the area; that ngff-zarr and GeoPandas see the same. Prints what it saw; fails on the first thing that is wrong.
"""
import json
import sys
from pathlib import Path

import numpy as np
import zarr
from ome_zarr.io import parse_url
from ome_zarr.reader import Label, Multiscales, Reader
from shapely.geometry import shape
from shapely.validation import explain_validity

folder = Path(sys.argv[1])
summary = json.loads((folder / "summary.json").read_text())
store = folder / summary["outputs"]["mask"]["file"]

(node,) = list(Reader(parse_url(store))())
assert any(isinstance(spec, Label) for spec in node.specs), node.specs
assert any(isinstance(spec, Multiscales) for spec in node.specs), node.specs
assert len(node.data) == summary["outputs"]["mask"]["levels"]
assert 1 in node.metadata["color"], node.metadata
for level, (transforms, data) in enumerate(zip(node.metadata["coordinateTransformations"], node.data)):
    assert np.allclose(transforms[0]["scale"], summary["mpp"] * 2**level), transforms
    print(f"level {level}: {data.shape[1]} x {data.shape[0]}, chunks {data.chunksize}, {transforms[0]['scale'][0]:g} µm/px")

mask = np.asarray(zarr.open(str(store), mode="r")["0"])
assert set(np.unique(mask)) <= {0, 1}
pixels = int(mask.sum())
mm2 = pixels * summary["mpp"] ** 2 / 1e6
assert np.isclose(mm2, summary["area"]["stromaMm2"]), (mm2, summary["area"])

features = json.loads((folder / summary["outputs"]["polygons"]["file"]).read_text())["features"]
area = 0.0
for feature in features:
    polygon = shape(feature["geometry"])
    assert polygon.is_valid, explain_validity(polygon)
    assert polygon.exterior.is_ccw and not any(hole.is_ccw for hole in polygon.interiors), feature["id"]
    area += polygon.area
assert len({feature["id"] for feature in features}) == len(features) == summary["outputs"]["polygons"]["polygons"]
if not (summary["outputs"]["polygons"]["minArea"] or summary["outputs"]["polygons"]["minHole"]):
    expected = pixels * summary["plan"]["downsample"] ** 2
    assert abs(area / expected - 1) < 1e-3 if expected else area == 0, (area, expected)
print(f"{len(features)} polygons, all valid, {mm2:.4f} mm²")

import geopandas
import ngff_zarr

multiscales = ngff_zarr.from_ngff_zarr(str(store))
assert multiscales.images[0].dims == ("y", "x") and int(np.asarray(multiscales.images[0].data).sum()) == pixels
frame = geopandas.read_file(folder / summary["outputs"]["polygons"]["file"])
if len(frame):
    frame = frame.set_crs(None, allow_override=True)
    assert frame["id"].is_unique and np.isclose(frame.area.sum(), area), frame
print(f"ngff-zarr {ngff_zarr.__version__} and GeoPandas {geopandas.__version__} see the same")

if "--napari" in sys.argv:
    import dask.array
    import napari

    image = dict(zarr.open(str(store), mode="r").attrs)
    image = image.get("ome", image)["multiscales"][0]
    levels = [dask.array.from_zarr(zarr.open(str(store), mode="r")[level["path"]]) for level in image["datasets"]]
    viewer = napari.Viewer(show=False)
    scale = image["datasets"][0]["coordinateTransformations"][0]["scale"]
    layer = viewer.add_labels(levels, scale=scale, units=["micrometer"] * 2)
    assert layer.multiscale and layer.visible and int(np.asarray(layer.data[0]).sum()) == pixels
    print(f"napari {napari.__version__}: {layer!r}")
    viewer.close()
