import { StromaflowError } from '../errors.js';
import type { ModelBundle } from '../model/bundle.js';
import { firstLine } from './first-line.js';

/**
 * Tries a ready graph once: nobody knows what size of map comes out of it, nor how many channels, unless its file says so.
 *
 * @param run makes the map of one patch; resolves to its sizes [N, classes, H, W]
 * @throws MODEL_UNSUPPORTED when the map has another size than the patch, or not one channel a class
 */
export async function fitsPatches(
  run: () => Promise<readonly number[]>,
  patchSize: number,
  { path, outputs }: Pick<ModelBundle, 'path' | 'outputs'>,
): Promise<void> {
  const [, channels, height, width] = await run();
  const misfit = (what: string, fix: string) => new StromaflowError('MODEL_UNSUPPORTED', `${path}: ${what}`, { fix });
  if (height !== patchSize || width !== patchSize)
    throw misfit(
      `its map has ${width} × ${height} pixels for a patch of ${patchSize} × ${patchSize}`,
      'export it with the upsampling to the size of its input',
    );
  if (channels !== outputs)
    throw misfit(
      `its map has ${channels} channels, its bundle ${outputs} classes`,
      'list a class for each channel in stromaflow.json',
    );
}

/** An engine that can run anything refuses a ready graph: the graph is at fault, not the machine. */
export function refusedGraph(
  { path, outputs }: Pick<ModelBundle, 'path' | 'outputs'>,
  cause: unknown,
): StromaflowError {
  const classes = outputs === 1 ? 'one class' : `${outputs} classes`;
  return new StromaflowError(
    'MODEL_UNSUPPORTED',
    `${path}: cannot be run with a map of ${classes}: ${firstLine(cause)}`,
    {
      cause,
      fix: 'list a class for each channel of its map in stromaflow.json; onnx.checker says whether the file itself is sound',
    },
  );
}
