import { type ConvNode, type ConvTransposeNode, type Padding, sidesOf } from '../graph/graph.js';
import type { ProgramBuilder } from '../program/builder.js';
import type { Sliding, Term } from '../program/words.js';
import type { Context, Taped } from './context.js';

/**
 * y[o] = Σ w[o, i, u, v] x[i, s·row + d·u − padding, s·column + d·v − padding] + b[o], the normalisation that follows left out.
 * The input's gradient is a convolution of the output's with the kernel turned round (stride 1), or a transposed one; the kernel's
 * is k² matrix products, one for each place (u, v): the output's gradient times the input shifted there. In groups it is a word of
 * its own, since there would be as many products for every group.
 */
export function conv(context: Context, node: ConvNode, x: Term): Taped {
  const { p } = context;
  const { kernel: size, stride, padding, dilation = 1, groups = 1, name } = node;
  const kernel = context.parameter(`${name}.weight`);
  const bias = node.bias ? context.parameter(`${name}.bias`) : undefined;
  const sliding = { stride, padding, dilation, groups };
  return {
    output: p.conv(x, kernel, sliding, bias),
    backward(gradient, [wantsInput]) {
      if (context.isTrained(`${name}.weight`)) {
        const made =
          groups === 1 ? kernelGradient(p, x, gradient, size, sliding) : p.convKernel(x, gradient, sliding, kernel);
        context.addGradient(`${name}.weight`, made);
      }
      if (bias && context.isTrained(`${name}.bias`)) context.addGradient(`${name}.bias`, p.sum(gradient, [0, 2, 3]));
      if (!wantsInput) return [undefined];
      const back = whatRemains(padding, dilation * (size - 1));
      return [
        stride === 1 && sidesOf(back).every(side => side >= 0)
          ? p.conv(gradient, p.rotate(kernel, groups), { ...sliding, padding: back })
          : p.convTranspose(gradient, kernel, sliding, x),
      ];
    },
  };
}

/**
 * The other way round: what is the input's gradient of a convolution is the output here, and the convolution is the gradient of the
 * input. The kernel's is that of the convolution, of which `gradient` is the input and x the output's gradient.
 */
export function convTranspose(context: Context, node: ConvTransposeNode, x: Term): Taped {
  const { p } = context;
  const { kernel: size, stride, padding, name } = node;
  const kernel = context.parameter(`${name}.weight`);
  const bias = context.parameter(`${name}.bias`);
  const sliding = { stride, padding, dilation: 1, groups: 1 };
  const [n, , height, width] = x.shape as [number, number, number, number];
  const shape = [n, kernel.shape[1]!, height * stride, width * stride];
  return {
    output: p.add(p.convTranspose(x, kernel, sliding, { shape }), bias),
    backward(gradient, [wantsInput]) {
      if (context.isTrained(`${name}.weight`))
        context.addGradient(`${name}.weight`, kernelGradient(p, gradient, x, size, sliding));
      if (context.isTrained(`${name}.bias`)) context.addGradient(`${name}.bias`, p.sum(gradient, [0, 2, 3]));
      return [wantsInput ? p.conv(gradient, kernel, sliding) : undefined];
    },
  };
}

/** What a window that reaches out of the image by `padding` leaves of its `reach`. */
function whatRemains(padding: Padding, reach: number): Padding {
  if (typeof padding === 'number') return reach - padding;
  const [top, left, bottom, right] = padding;
  return [reach - top, reach - left, reach - bottom, reach - right];
}

function kernelGradient(
  p: ProgramBuilder,
  x: Term,
  gradient: Term,
  size: number,
  { stride, padding, dilation }: Sliding,
): Term {
  const [, , height, width] = gradient.shape as [number, number, number, number];
  const padded = p.pad(x, padding);
  const rows = p.channelRows(gradient);
  const parts = Array.from({ length: size * size }, (_, place) => {
    const at = { top: Math.floor(place / size) * dilation, left: (place % size) * dilation, stride, height, width };
    return p.matmul(rows, p.window(padded, at));
  });
  return p.kernel(parts);
}
