import { StromaflowError } from '../../errors.js';

/** What a file on a server is, as far as it tells: the same bytes have the same. */
export interface Revision {
  /** Bytes. */
  readonly size: number;
  /** ETag, else Last-Modified, as the server writes them. */
  readonly validator: string;
  /** Why nothing can be read by it. */
  readonly fault?: string;
}

interface ContentRange {
  readonly start: number;
  readonly end: number;
  /** NaN where the server does not say. */
  readonly size: number;
}

/** What Content-Range says (RFC 9110, 14.4); of 416 the size alone. */
export function contentRange({ headers }: Response): ContentRange | undefined {
  const found = /^bytes (?:(\d+)-(\d+)|\*)\/(\d+|\*)$/i.exec(headers.get('content-range') ?? '');
  return found ? { start: Number(found[1]), end: Number(found[2]), size: Number(found[3]) } : undefined;
}

export function revisionOf({ headers }: Response, range: ContentRange | undefined): Revision {
  const validator = headers.get('etag') ?? headers.get('last-modified') ?? '';
  const size = range?.size ?? Number.NaN;
  const coding = headers.get('content-encoding') ?? 'identity';
  const fault = !range
    ? 'the server does not say which bytes it sent'
    : !Number.isSafeInteger(size)
      ? 'the server does not say how long the file is'
      : coding !== 'identity'
        ? 'the server sends it compressed, of which no part can be read'
        : validator === ''
          ? 'the server states neither ETag nor Last-Modified, so that a file written anew would go unseen'
          : undefined;
  return { size, validator, ...(fault === undefined ? {} : { fault }) };
}

/** What another try may cure. */
export const isPassing = (status: number): boolean => [408, 425, 429, 500, 502, 503, 504].includes(status);

/** Milliseconds that the server asks for. */
export function retryAfter({ headers }: Response): number | undefined {
  const stated = headers.get('retry-after');
  if (stated === null) return undefined;
  const ms = /^\d+$/.test(stated) ? Number(stated) * 1000 : Date.parse(stated) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}

/** What an answer other than a part of the file means. */
export function refused(shown: string, { status }: Response, hasSecret: boolean): StromaflowError {
  const { what, fix } = meaningOf(status, hasSecret);
  return new StromaflowError('SLIDE_REMOTE', `${shown}: ${what}`, fix === undefined ? {} : { fix });
}

function meaningOf(status: number, hasSecret: boolean): { readonly what: string; readonly fix?: string } {
  const signed = hasSecret ? 'its signature or password may be wrong or have expired: give a new one' : SIGN;
  switch (status) {
    case 200:
      return {
        what: 'the server sends whole files only, no ranges',
        fix: 'serve it by one that answers ranges (nginx, Apache, S3 …), or copy the slide here',
      };
    case 401:
      return { what: 'the server wants a password (401)', fix: signed };
    case 403:
      return { what: 'the server refuses it (403)', fix: signed };
    case 404:
    case 410:
      return { what: `there is nothing at this address (${status})`, fix: 'check the address' };
    case 416:
      return { what: 'the file is empty (416)' };
    case 429:
      return { what: 'the server wants fewer requests (429)', fix: 'start again later; what is done is kept' };
    default:
      return isPassing(status)
        ? { what: `the server fails (${status})`, fix: 'start again when it is well; what is done is kept' }
        : { what: `the server answers ${status}` };
  }
}

const SIGN = 'give an address with its signature (presigned), or with user and password';

export const changed = (shown: string, how: string): StromaflowError =>
  new StromaflowError('SLIDE_CHANGED', `${shown}: was written anew while it was read: ${how}`);

export const badLength = (shown: string, got: number, expected: number): StromaflowError =>
  new StromaflowError(
    'SLIDE_REMOTE',
    got > expected
      ? `${shown}: the server sends more than the ${expected} bytes that were asked for`
      : `${shown}: answers end early, after ${got} of ${expected} bytes`,
  );

/** Failures below HTTP; their texts may hold the address that was asked for, and so its signature. */
export function unreachable(shown: string, error: unknown): StromaflowError {
  const below = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const code = below instanceof Error && 'code' in below ? below.code : undefined;
  const known = typeof code === 'string' ? (SYSTEM[code] ?? code) : undefined;
  const own = below instanceof Error && below === error && !(below instanceof TypeError) ? below.message : undefined;
  return new StromaflowError('SLIDE_REMOTE', `${shown}: ${known ?? own ?? 'the connection broke'}`);
}

const SYSTEM: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nobody answers at this host and port',
  ENOTFOUND: 'the host is not known',
  EAI_AGAIN: 'the host cannot be looked up now',
  ECONNRESET: 'the connection broke',
  UND_ERR_SOCKET: 'the connection broke',
  UND_ERR_CONNECT_TIMEOUT: 'the host does not answer',
  UND_ERR_HEADERS_TIMEOUT: 'the server does not answer',
  UND_ERR_BODY_TIMEOUT: 'answers stop',
  DEPTH_ZERO_SELF_SIGNED_CERT: "the server's certificate is its own: give its authority with NODE_EXTRA_CA_CERTS",
  SELF_SIGNED_CERT_IN_CHAIN: "the server's authority is not known here: give it with NODE_EXTRA_CA_CERTS",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "the server's authority is not known here: give it with NODE_EXTRA_CA_CERTS",
  CERT_HAS_EXPIRED: "the server's certificate has expired",
  ERR_TLS_CERT_ALTNAME_INVALID: "the server's certificate is for another host",
};
