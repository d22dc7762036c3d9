import { StromaflowError } from '../errors.js';

/**
 * NATS subjects of the event contract: `<prefix>.<site>.<scanner>.<kind>…`. Tokens are [A-Za-z0-9_-] only, because a
 * server does not check what is published and a stray `.`, `*` or `>` would change who receives it.
 */
export const DEFAULT_PREFIX = 'stroma.v1';

export const SLIDE_STATES = ['opened', 'progress', 'completed', 'incomplete', 'failed'] as const;
export type SlideState = (typeof SLIDE_STATES)[number];

export const DLQ_STAGES = ['read', 'infer', 'publish'] as const;
export type DlqStage = (typeof DLQ_STAGES)[number];

/** Where events come from: one installation and one scanner in it. Any text; escaped in subjects. */
export interface Origin {
  readonly site: string;
  readonly scanner: string;
}

export type Topic =
  | { readonly kind: 'slide'; readonly state: SlideState; readonly slide: string }
  | { readonly kind: 'mask'; readonly slide: string; readonly col: number; readonly row: number }
  | { readonly kind: 'aggregate'; readonly slide: string }
  | { readonly kind: 'dlq'; readonly stage: DlqStage; readonly slide: string };

const UNDERSCORE = 0x5f;
const SAFE_TOKEN = /^[A-Za-z0-9_-]+$/;

/**
 * Makes any non-empty text one subject token. Bytes (UTF-8) outside [A-Za-z0-9_-] become `__XX` (upper-case hex); of two
 * underscores in a row the first is escaped too, so that equal tokens mean equal texts and `scan_01` stays as it is.
 */
export function escapeToken(text: string): string {
  if (text === '') throw new StromaflowError('CONFIG_INVALID', 'a subject token must not be empty');
  const bytes = new TextEncoder().encode(text);
  let token = '';
  bytes.forEach((byte, index) => {
    const char = String.fromCharCode(byte);
    const literal = char === '_' ? bytes[index + 1] !== UNDERSCORE : SAFE_TOKEN.test(char);
    token += literal ? char : `__${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  });
  return token;
}

/** The text a token was made from. A token that escapes no valid UTF-8 comes back with U+FFFD in place of it. */
export function unescapeToken(token: string): string {
  const bytes: number[] = [];
  for (let index = 0; index < token.length; ) {
    const hex = /^__([0-9A-F]{2})/.exec(token.slice(index, index + 4))?.[1];
    bytes.push(hex === undefined ? token.charCodeAt(index) : Number.parseInt(hex, 16));
    index += hex === undefined ? 1 : 4;
  }
  return new TextDecoder().decode(Uint8Array.from(bytes));
}

/** Subject of one event. The slide's id stands in it as it is: SlideInfo promises [A-Za-z0-9_-]+ (INTERNAL otherwise). */
export function buildSubject(prefix: string, origin: Origin, topic: Topic): string {
  if (!SAFE_TOKEN.test(topic.slide)) {
    throw new StromaflowError('INTERNAL', `slide id '${topic.slide}' is not a subject token ([A-Za-z0-9_-]+)`);
  }
  return [prefix, escapeToken(origin.site), escapeToken(origin.scanner), ...topicTokens(topic)].join('.');
}

function topicTokens(topic: Topic): (string | number)[] {
  switch (topic.kind) {
    case 'slide':
      return ['slide', topic.state, topic.slide];
    case 'mask':
      return ['mask', topic.slide, topic.col, topic.row];
    case 'aggregate':
      return ['aggregate', topic.slide];
    case 'dlq':
      return ['dlq', topic.stage, topic.slide];
  }
}

/** Reads a subject back, or undefined when it is not one of this contract under this prefix. */
export function parseSubject(prefix: string, subject: string): (Origin & Topic) | undefined {
  if (!subject.startsWith(`${prefix}.`)) return undefined;
  const [site, scanner, kind, ...rest] = subject.slice(prefix.length + 1).split('.');
  if (!site || !scanner || rest.some(token => token === '')) return undefined;
  const origin = { site: unescapeToken(site), scanner: unescapeToken(scanner) };
  const topic = parseTopic(kind, rest);
  return topic && { ...origin, ...topic };
}

function parseTopic(kind: string | undefined, rest: string[]): Topic | undefined {
  const [first, second, third] = rest;
  if (kind === 'aggregate' && rest.length === 1 && first) return { kind, slide: first };
  if (kind === 'mask' && rest.length === 3 && first && isIndex(second) && isIndex(third)) {
    return { kind, slide: first, col: Number(second), row: Number(third) };
  }
  if (rest.length !== 2 || !first || !second) return undefined;
  const state = SLIDE_STATES.find(known => known === first);
  if (kind === 'slide' && state) return { kind, state, slide: second };
  const stage = DLQ_STAGES.find(known => known === first);
  if (kind === 'dlq' && stage) return { kind, stage, slide: second };
  return undefined;
}

const isIndex = (token: string | undefined): boolean => token !== undefined && /^(0|[1-9]\d{0,8})$/.test(token);

/** What a subscriber wants; what is left out matches everything. */
export interface SubjectFilter {
  readonly prefix?: string | undefined;
  readonly site?: string | undefined;
  readonly scanner?: string | undefined;
  readonly slide?: string | undefined;
}

/**
 * NATS pattern of one kind of event (or of all, without a kind): `stroma.v1.*.*.mask.S1.*.*`.
 * CONFIG_INVALID for a prefix or a slide's id that no subject can have: nothing would ever come.
 */
export function subjectPattern(kind?: Topic['kind'], filter: SubjectFilter = {}): string {
  const { slide = '*' } = filter;
  if (filter.slide !== undefined && !SAFE_TOKEN.test(filter.slide)) {
    throw new StromaflowError('CONFIG_INVALID', `'${slide}' is not the id of a slide ([A-Za-z0-9_-]+)`, {
      fix: 'take the id from its events or from the status page; the name of a file with other characters is not one',
    });
  }
  const tail = {
    slide: ['slide', '*', slide],
    mask: ['mask', slide, '*', '*'],
    aggregate: ['aggregate', slide],
    dlq: ['dlq', '*', slide],
  };
  const origin = [filter.site, filter.scanner].map(text => (text === undefined ? '*' : escapeToken(text)));
  return [checkPrefix(filter.prefix ?? DEFAULT_PREFIX), ...origin, ...(kind ? tail[kind] : ['>'])].join('.');
}

/** NATS matching: `*` is exactly one token, a final `>` is one or more. */
export function matchesSubject(pattern: string, subject: string): boolean {
  const want = pattern.split('.');
  const have = subject.split('.');
  for (const [index, token] of want.entries()) {
    if (token === '>') return index === want.length - 1 && have.length > index;
    if (index >= have.length || (token !== '*' && token !== have[index])) return false;
  }
  return want.length === have.length;
}

/** Accepts a configurable prefix: one or more safe tokens joined by dots. CONFIG_INVALID otherwise. */
export function checkPrefix(prefix: string): string {
  if (prefix.split('.').every(token => SAFE_TOKEN.test(token))) return prefix;
  throw new StromaflowError(
    'CONFIG_INVALID',
    `subject prefix '${prefix}' is not tokens of [A-Za-z0-9_-] joined by dots`,
  );
}
