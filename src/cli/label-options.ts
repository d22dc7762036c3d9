import type { Config } from '../config/options.js';
import { StromaflowError } from '../errors.js';
import type { LabelReading } from '../evaluate/label-source.js';
import type { LabelledSetOptions } from '../evaluate/labelled-set.js';
import type { LabelClass, LabelMapOptions } from '../evaluate/labels.js';

/** What the command line says of label values. */
export function labelMapOptions({ positive, ignore, negative, colours }: Config): LabelMapOptions {
  return {
    ...(positive !== undefined && { positive }),
    ...(ignore !== undefined && { ignore }),
    ...(negative !== undefined && { negative }),
    ...(colours !== undefined && { colours }),
  };
}

/** What the command line says of how labels are to be taken. */
export function labelReading(config: Config): LabelReading {
  const frame = config['labels-frame'] as LabelReading['frame'];
  const objects = config['labels-objects'] as LabelReading['objects'];
  return { ...(frame && { frame }), ...(objects && { objects }) };
}

/**
 * How a labelled set is opened.
 * @param fallbackClasses a model bundle's label map, for sets that have none
 * @throws CONFIG_INVALID when --patient is no regular expression
 */
export function labelledSetOptions(config: Config, fallbackClasses?: readonly LabelClass[]): LabelledSetOptions {
  const { mpp, labels, patient } = config;
  return {
    ...labelMapOptions(config),
    reading: labelReading(config),
    ...(mpp !== undefined && { mpp }),
    ...(labels !== undefined && { labels }),
    ...(patient !== undefined && { patient: patternOf(patient) }),
    ...(fallbackClasses && { fallbackClasses }),
  };
}

function patternOf(text: string): RegExp {
  try {
    return new RegExp(text);
  } catch (cause) {
    throw new StromaflowError('CONFIG_INVALID', `--patient: '${text}' is no regular expression`, {
      cause,
      fix: 'for example --patient "^(case-[0-9]+)_"',
    });
  }
}
