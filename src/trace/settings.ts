import { StromaflowError } from '../errors.js';

/** Where spans go and which are kept. */
export interface TraceSettings {
  /** Of the collector, with its path. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly encoding: 'json' | 'protobuf';
  /** Longest time for one batch of spans, repeats included. */
  readonly timeoutMs: number;
  readonly sampler: Sampling;
  readonly serviceName: string;
  readonly resource: Readonly<Record<string, string>>;
}

/** Of slides that are no part of a trace that somebody else began: none, all, or this part of them. */
export interface Sampling {
  /** 0–1. */
  readonly ratio: number;
  /** A slide that is part of a trace is kept when the trace is. */
  readonly byParent: boolean;
}

const PATH = 'v1/traces';

/**
 * Reads `--otlp` and the variables that OpenTelemetry gives exporters; undefined: no traces are wanted.
 * Source: opentelemetry.io/docs/specs/otel/protocol/exporter and …/configuration/sdk-environment-variables.
 *
 * @param otlp the option, a collector's base URL; it stands above the variables
 * @throws CONFIG_INVALID, naming the variable
 */
export function traceSettings(otlp: string | undefined, environment: NodeJS.ProcessEnv): TraceSettings | undefined {
  const variable = (name: string): string | undefined => environment[name]?.trim() || undefined;
  const forTraces = (name: string): string | undefined =>
    variable(`OTEL_EXPORTER_OTLP_TRACES_${name}`) ?? variable(`OTEL_EXPORTER_OTLP_${name}`);
  if (variable('OTEL_SDK_DISABLED')?.toLowerCase() === 'true' || variable('OTEL_TRACES_EXPORTER') === 'none')
    return undefined;
  const whole = variable('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT');
  const base = otlp ?? (whole === undefined ? variable('OTEL_EXPORTER_OTLP_ENDPOINT') : undefined);
  if (base === undefined && whole === undefined) return undefined;
  const named =
    otlp === undefined ? (whole ? 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT' : 'OTEL_EXPORTER_OTLP_ENDPOINT') : '--otlp';
  const pairs = (name: string) => readPairs(name, variable(name));
  return {
    url: base === undefined ? readUrl(named, whole!).href : below(readUrl(named, base)),
    headers: { ...pairs('OTEL_EXPORTER_OTLP_HEADERS'), ...pairs('OTEL_EXPORTER_OTLP_TRACES_HEADERS') },
    encoding: readEncoding(forTraces('PROTOCOL')),
    timeoutMs: readTimeout(forTraces('TIMEOUT')),
    sampler: readSampler(variable('OTEL_TRACES_SAMPLER'), variable('OTEL_TRACES_SAMPLER_ARG')),
    serviceName: variable('OTEL_SERVICE_NAME') ?? 'stromaflow',
    resource: pairs('OTEL_RESOURCE_ATTRIBUTES'),
  };
}

function readUrl(named: string, text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:')
    throw invalid(named, 'is no URL of a collector', 'give its base, such as http://127.0.0.1:4318');
  if (url.username !== '' || url.password !== '')
    throw invalid(named, 'has a password in it', 'give it in OTEL_EXPORTER_OTLP_HEADERS');
  return url;
}

function below(base: URL): string {
  const path = base.pathname.endsWith('/') ? base.pathname : `${base.pathname}/`;
  return new URL(`${path}${PATH}`, base).href;
}

/** `key=value` with commas between, values percent-encoded. */
function readPairs(name: string, text = ''): Record<string, string> {
  const pairs = text.split(',').filter(part => part.trim() !== '');
  return Object.fromEntries(
    pairs.map(part => {
      const at = part.indexOf('=');
      const key = part.slice(0, at).trim();
      try {
        if (at < 0 || key === '') throw new RangeError(part);
        return [key, decodeURIComponent(part.slice(at + 1).trim())];
      } catch (cause) {
        throw invalid(name, 'is no list of key=value', 'write key=value,key=value with %-escapes', cause);
      }
    }),
  );
}

function readEncoding(text = 'http/protobuf'): TraceSettings['encoding'] {
  if (text === 'http/json') return 'json';
  if (text === 'http/protobuf') return 'protobuf';
  throw invalid(
    'OTEL_EXPORTER_OTLP_PROTOCOL',
    `is ${text}`,
    "give http/protobuf or http/json, and the collector's HTTP port, which is 4318 as a rule",
  );
}

const TIMEOUT_MS = 10_000;

function readTimeout(text: string | undefined): number {
  if (text === undefined) return TIMEOUT_MS;
  if (!/^\d{1,7}$/.test(text) || Number(text) === 0)
    throw invalid('OTEL_EXPORTER_OTLP_TIMEOUT', `is ${text}`, 'give milliseconds');
  return Number(text);
}

function readSampler(name = 'parentbased_always_on', argument = '1'): Sampling {
  const [, parent, rest] = /^(parentbased_)?(.*)$/.exec(name)!;
  const byParent = parent !== undefined;
  if (rest === 'always_on') return { ratio: 1, byParent };
  if (rest === 'always_off') return { ratio: 0, byParent };
  if (rest !== 'traceidratio')
    throw invalid('OTEL_TRACES_SAMPLER', `is ${name}`, 'give always_on, always_off, traceidratio or parentbased_…');
  const ratio = Number(argument);
  if (!(ratio >= 0 && ratio <= 1))
    throw invalid('OTEL_TRACES_SAMPLER_ARG', `is ${argument}`, 'give a part of all slides, 0 to 1');
  return { ratio, byParent };
}

const invalid = (name: string, what: string, fix: string, cause?: unknown): StromaflowError =>
  new StromaflowError('CONFIG_INVALID', `${name} ${what}`, { fix, cause });
