import { StromaflowError } from '../errors.js';
import { type TraceSettings, traceSettings } from './settings.js';
import type { Attributes, Tracer } from './tracer.js';

/**
 * What keeps spans where `--otlp` or OpenTelemetry's variables name a collector; undefined: nobody asked, and nothing is loaded.
 *
 * @param about of all spans: what this process is
 * @param tell hears once that the collector is away, and in the end how many spans it did not get; also of a variable that is wrong: these are set for
 * many programs at once, and no run ends because of them
 * @throws CONFIG_INVALID where `--otlp` is given
 */
export async function openTracer(
  otlp: string | undefined,
  about: Attributes,
  tell: (problem: StromaflowError) => void,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<Tracer | undefined> {
  let settings: TraceSettings | undefined;
  try {
    settings = traceSettings(otlp, environment);
  } catch (error) {
    if (otlp !== undefined || !(error instanceof StromaflowError)) throw error;
    tell(error);
  }
  if (!settings) return undefined;
  const { otlpTracer } = await import('./otlp-tracer.js');
  return otlpTracer(settings, about, tell);
}
