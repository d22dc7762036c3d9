import type { GroupNormNode, Value } from '../graph/graph.js';
import { PORTS } from './surround.js';
import type { OnnxWriter } from './writer.js';

/**
 * One more output, float32 [N, groups of all norms one behind the other, 2]: mean and mean square of what each group of each norm
 * reads. Of one patch; over patches both average to the moments of all their pixels.
 */
export function emitMoments(out: OnnxWriter, norms: readonly GroupNormNode[], nameOf: (value: Value) => string): void {
  const found = norms.map(({ input, groups }) => {
    const rows = out.node('Reshape', [nameOf(input), out.integers(`rows_${groups}`, [0, groups, -1])]);
    const moments = [rows, out.node('Mul', [rows, rows])].map(values =>
      out.node('ReduceMean', [values, out.integers('axes_2', [2])], { keepdims: 1 }),
    );
    return out.node('Concat', moments, { axis: 2 });
  });
  out.node('Concat', found, { axis: 1 }, PORTS.moments);
}
