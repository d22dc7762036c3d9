import { StromaflowError } from '../errors.js';
import type { ModelBundle } from './bundle.js';

/** The least side in pixels, `otherwise` or more, that the network can be tried at. */
export function trialSide({ network }: Pick<ModelBundle, 'network'>, otherwise: number): number {
  if (network.kind === 'onnx') return network.ready.fixedSide ?? otherwise;
  return Math.max(otherwise, network.leastSide);
}

/** @throws MODEL_UNSUPPORTED for images that are too small for the network, or another size than the only one it takes */
export function checkSides({ name, network }: ModelBundle, height: number, width: number): void {
  const unsupported = (needs: string, fix: string) =>
    new StromaflowError('MODEL_UNSUPPORTED', `${name} takes images of ${needs} pixels, not ${height} × ${width}`, {
      fix,
    });
  if (network.kind === 'smp') {
    const { leastSide } = network;
    if (Math.min(height, width) < leastSide)
      throw unsupported(`at least ${leastSide} × ${leastSide}`, 'give it larger ones');
    return;
  }
  const { fixedSide } = network.ready;
  if (fixedSide && (fixedSide !== height || fixedSide !== width))
    throw unsupported(
      `${fixedSide} × ${fixedSide}`,
      'leave the size at that, or export the model with dynamic height and width',
    );
}
