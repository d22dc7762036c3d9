import { createHash } from 'node:crypto';
import { StromaflowError } from '../../errors.js';

/** A slide at an address, taken apart: what is asked for, and what may be said of it. */
export interface SlideAddress {
  /** What is asked for, without user and password. */
  readonly url: URL;
  /** Value of the Authorization header, of an address with user and password. */
  readonly authorization: string | undefined;
  /** Without user, password, query and fragment: what stands in messages, events, results and logs. */
  readonly shown: string;
  /** The same for all ways to sign one address; tells addresses apart that differ in the rest of their query. Holds no secret. */
  readonly identity: string;
  /** Of several scenes of tissue in a TIFF the one with this number, from 1. */
  readonly scene: number | undefined;
  /** There is a part that must not be told to anybody. */
  readonly hasSecret: boolean;
}

/** What signs a query: of S3 and those that speak its language, Google, Azure, CloudFront, and plain tokens. */
const SIGNATURES = [
  /^x-(amz|goog|oss|cos|obs|bce)-/i,
  /^(awsaccesskeyid|googleaccessid|ossaccesskeyid|signature|expires|policy|key-pair-id|hash)$/i,
  /^(sv|ss|srt|sp|se|st|spr|sr|sig|sip|si|skoid|sktid|skt|ske|sks|skv|sdd|saoid|suoid|scid)$/i,
  /^(token|access_token|auth|auth_token|api_?key|apikey|jwt)$/i,
];
const DIGITS = 8;
const SCENE = /^#([1-9]\d{0,3})$/;

/** True of what is meant as an address, sound or not. */
export const isAddress = (path: string): boolean => /^https?:\/\//i.test(path);

/** @throws CONFIG_INVALID for what is no address of a slide; its message holds nothing of what was given. */
export function parseAddress(text: string): SlideAddress {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !isAddress(text) || url.hostname === '')
    throw new StromaflowError('CONFIG_INVALID', 'an address of a slide cannot be read', {
      fix: 'give it as https://host/path/slide.svs, and user and password with their special characters percent-encoded',
    });
  const { username, password, hash } = url;
  const scene = SCENE.exec(hash)?.[1];
  const authorization =
    username === '' && password === ''
      ? undefined
      : `Basic ${Buffer.from(`${decoded(username)}:${decoded(password)}`).toString('base64')}`;
  const rest = [...url.searchParams].filter(([name]) => !SIGNATURES.some(signature => signature.test(name)));
  const hasQuery = url.search !== '';
  Object.assign(url, { username: '', password: '', hash: '' });
  const shown = `${url.origin}${url.pathname}`;
  const told = JSON.stringify(rest.toSorted(([a], [b]) => (a < b ? -1 : 1)));
  const digits = createHash('sha256').update(told).digest('hex').slice(0, DIGITS);
  return {
    url,
    authorization,
    shown,
    identity: rest.length > 0 ? `${shown}?~${digits}` : shown,
    scene: scene === undefined ? undefined : Number(scene),
    hasSecret: authorization !== undefined || hasQuery,
  };
}

/** An address as it may be shown, whatever is wrong with it; other paths as they are. */
export function withoutSecrets(path: string): string {
  if (!isAddress(path)) return path;
  try {
    const { shown, scene } = parseAddress(path);
    return scene === undefined ? shown : `${shown}#${scene}`;
  } catch {
    return 'an address';
  }
}

/** The address of what lies below another, with the same signature and password. @param path parts with / between them, not encoded */
export function addressBelow(base: SlideAddress, path: string): SlideAddress {
  const url = new URL(base.url);
  url.pathname = `${url.pathname.replace(/\/$/, '')}/${path.split('/').map(encodeURIComponent).join('/')}`;
  const { authorization, hasSecret } = base;
  return { ...parseAddress(url.href), authorization, hasSecret };
}

/** The last part of an address, as a file would be called. */
export const fileNameAt = (shown: string): string => decoded(new URL(shown).pathname.split('/').at(-1) || 'slide');

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
