import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { StromaflowError } from '../errors.js';
import { decodeText } from '../text.js';
import type { EvaluationReport } from './metrics.js';

/**
 * metrics.json of a replay, by the folder of the report or by the file itself. Numbers that are null in the file (0/0) stay null: who
 * shows them has to ask.
 * @throws FILE_NOT_FOUND where there is none, LABELS_INVALID where it is no report of a replay
 */
export async function readReport(path: string): Promise<EvaluationReport> {
  const isFolder = await stat(path).then(
    facts => facts.isDirectory(),
    () => false,
  );
  const file = isFolder ? join(path, 'metrics.json') : path;
  let text: string;
  try {
    text = decodeText(await readFile(file));
  } catch (cause) {
    const fix = 'name the folder that a replay wrote its report to (--out)';
    throw new StromaflowError('FILE_NOT_FOUND', `${file}: it cannot be read`, { cause, fix });
  }
  const wrong = (what: string, cause?: unknown) =>
    new StromaflowError('LABELS_INVALID', `${file}: it is no report of a replay: ${what}`, {
      ...(cause !== undefined && { cause }),
      fix: 'name the folder that stromaflow replay wrote its report to, or replay the set again',
    });
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw wrong('it is no JSON', cause);
  }
  const fault = faultIn(json);
  if (fault !== undefined) throw wrong(fault);
  return json as EvaluationReport;
}

/** What of the fields that a comparison reads is not as it should be. */
function faultIn(json: unknown): string | undefined {
  if (!isObject(json) || json['format'] !== 'stromaflow-evaluation/1')
    return 'its format is not stromaflow-evaluation/1';
  const { protocol, models } = json;
  if (!isObject(protocol) || typeof protocol['spacing'] !== 'number') return 'its protocol has no spacing';
  if (!Array.isArray(models) || models.length === 0) return 'it has no models';
  for (const model of models as unknown[]) {
    if (!isObject(model) || typeof model['name'] !== 'string' || typeof model['version'] !== 'string')
      return 'a model has no name or no version';
    if (!isObject(model['splits']) || !Array.isArray(model['images'])) return `${model['name']} has no images`;
    const image = (model['images'] as unknown[]).find(one => !isImage(one));
    if (image !== undefined) return `an image of ${model['name']} has no name, no patient, no split or no counts`;
  }
  return undefined;
}

function isImage(image: unknown): boolean {
  if (!isObject(image)) return false;
  const { counts, seams, predictedArea, annotatedArea } = image;
  return (
    ['image', 'patient', 'split'].every(name => typeof image[name] === 'string') &&
    isObject(counts) &&
    ['tp', 'fp', 'fn', 'tn'].every(name => isCount(counts[name])) &&
    [predictedArea, annotatedArea].every(area => typeof area === 'number' && area >= 0) &&
    (seams === undefined || (isObject(seams) && isPairs(seams['across']) && isPairs(seams['inside'])))
  );
}

const isPairs = (pairs: unknown): boolean => isObject(pairs) && isCount(pairs['pairs']) && isCount(pairs['equal']);
const isCount = (count: unknown): boolean => Number.isSafeInteger(count) && (count as number) >= 0;
const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
