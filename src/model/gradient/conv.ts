import type { ConvNode } from '../graph/graph.js';
import type { ProgramBuilder } from '../program/builder.js';
import type { Term } from '../program/words.js';
import type { Context, Taped } from './context.js';

/**
 * y[o] = Σ w[o, i, u, v] x[i, s·row + u − padding, s·column + v − padding] + b[o], the normalisation that follows left out.
 * The input's gradient is a convolution of the output's with the kernel turned round (stride 1), or a transposed one; the kernel's
 * is k² matrix products, one for each place (u, v): the output's gradient times the input shifted there.
 */
export function conv(context: Context, node: ConvNode, x: Term): Taped {
  const { p } = context;
  const { kernel: size, stride, padding, name } = node;
  const kernel = context.parameter(`${name}.weight`);
  const bias = node.bias ? context.parameter(`${name}.bias`) : undefined;
  return {
    output: p.conv(x, kernel, { stride, padding, bias }),
    backward(gradient, [wantsInput]) {
      if (context.isTrained(`${name}.weight`))
        context.addGradient(`${name}.weight`, kernelGradient(p, x, gradient, { size, stride, padding }));
      if (bias && context.isTrained(`${name}.bias`)) context.addGradient(`${name}.bias`, p.sum(gradient, [0, 2, 3]));
      if (!wantsInput) return [undefined];
      return [
        stride === 1
          ? p.conv(gradient, p.rotate(kernel), { stride: 1, padding: size - 1 - padding })
          : p.convTranspose(gradient, kernel, { stride, padding, like: x }),
      ];
    },
  };
}

function kernelGradient(
  p: ProgramBuilder,
  x: Term,
  gradient: Term,
  { size, stride, padding }: { size: number; stride: number; padding: number },
): Term {
  const [, , height, width] = gradient.shape as [number, number, number, number];
  const padded = p.pad(x, padding);
  const rows = p.channelRows(gradient);
  const parts = Array.from({ length: size * size }, (_, place) => {
    const at = { top: Math.floor(place / size), left: place % size, stride, height, width };
    return p.matmul(rows, p.window(padded, at));
  });
  return p.kernel(parts);
}
