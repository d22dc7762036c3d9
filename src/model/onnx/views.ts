import type { View } from '../views.js';
import type { OnnxWriter } from './writer.js';

/** As far back as there is something: where a reversed slice ends. */
const TO_THE_START = -(2 ** 63);

/** Images [N, channels, S, S] → [views × N, channels, S, S], one view of all of them behind the other. */
export function intoViews(out: OnnxWriter, images: string, views: readonly View[], output: string): string {
  const seen = views.map(view => {
    const turned = view.transposed ? out.node('Transpose', [images], { perm: [0, 1, 3, 2] }) : images;
    return reversed(out, turned, view, 2);
  });
  return out.node('Concat', seen, { axis: 0 }, output);
}

/** The mean over the views of maps [views × N, S, S], each turned back to how the image lay: [N, S, S]. */
export function meanOfViews(out: OnnxWriter, maps: string, views: readonly View[]): string {
  const back = out.split(maps, views.length).map((map, i) => {
    const view = views[i]!;
    const upright = reversed(out, map, view, 1);
    return view.transposed ? out.node('Transpose', [upright], { perm: [0, 2, 1] }) : upright;
  });
  const sum = back.reduce((all, map) => out.node('Add', [all, map]));
  return out.node('Mul', [sum, out.floats('of_views', [1 / views.length], [])]);
}

/** The same map with the rows, the columns or both in reverse. @param rows axis of the rows; that of the columns is the next */
function reversed(out: OnnxWriter, map: string, { reversedRows, reversedColumns }: View, rows: number): string {
  const axes = [...(reversedRows ? [rows] : []), ...(reversedColumns ? [rows + 1] : [])];
  if (axes.length === 0) return map;
  const each = (name: string, value: number) =>
    out.integers(
      `${name}_${axes.length}`,
      axes.map(() => value),
    );
  return out.node('Slice', [
    map,
    each('from_the_end', -1),
    each('to_the_start', TO_THE_START),
    out.integers(`axes_${axes.join('_')}`, axes),
    each('backwards', -1),
  ]);
}
