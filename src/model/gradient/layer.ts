import type { GraphNode } from '../graph/graph.js';
import type { Term } from '../program/words.js';
import { activation } from './activation.js';
import { add } from './add.js';
import { attention } from './attention.js';
import { averagePool } from './average-pool.js';
import { concat } from './concat.js';
import type { Context, Taped } from './context.js';
import { conv, convTranspose } from './conv.js';
import { globalAverage } from './global-average.js';
import { maxPool } from './max-pool.js';
import { multiply } from './multiply.js';
import { batchNorm, groupNorm, layerNorm } from './norm.js';
import { positionAttention } from './position-attention.js';
import { adaptiveAverage, resize, upsample } from './upsample.js';

/** A layer of a graph, forward, and how to come back. */
export function tape(context: Context, node: Exclude<GraphNode, { op: 'input' }>, inputs: readonly Term[]): Taped {
  const [x] = inputs as [Term];
  switch (node.op) {
    case 'conv': {
      const convolved = conv(context, node, x);
      return node.batchNorm ? chained(convolved, batchNorm(context, node.batchNorm, convolved.output)) : convolved;
    }
    case 'convTranspose': {
      const made = convTranspose(context, node, x);
      return node.batchNorm ? chained(made, batchNorm(context, node.batchNorm, made.output)) : made;
    }
    case 'batchNorm':
      return batchNorm(context, node, x);
    case 'groupNorm':
      return groupNorm(context, node, x);
    case 'layerNorm':
      return layerNorm(context, node, x);
    case 'attention':
      return attention(context, inputs as [Term, Term], node.heads);
    case 'positionAttention':
      return positionAttention(context, inputs as [Term, Term, Term]);
    case 'resize':
      return resize(context, x, inputs[1]!, node.mode);
    case 'adaptiveAverage':
      return adaptiveAverage(context, x, node.side);
    case 'maxPool':
      return maxPool(context, x, node);
    case 'averagePool':
      return averagePool(context, x, node);
    case 'upsample':
      return upsample(context, x, node.factor, node.mode);
    case 'globalAverage':
      return globalAverage(context, x);
    case 'add':
      return add(context, inputs as [Term, Term]);
    case 'multiply':
      return multiply(context, inputs as [Term, Term]);
    case 'concat':
      return concat(context, inputs);
    default:
      return activation(context, node.op, x);
  }
}

function chained(first: Taped, second: Taped): Taped {
  return {
    output: second.output,
    backward(gradient, wanted) {
      const [between] = second.backward(gradient, [true]);
      return first.backward(between!, wanted);
    },
  };
}
