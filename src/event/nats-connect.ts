import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import {
  type Authenticator,
  credsAuthenticator,
  errors,
  type NatsConnection,
  nkeyAuthenticator,
} from '@nats-io/nats-core';
import { connect, type NodeConnectionOptions } from '@nats-io/transport-node';
import { StromaflowError } from '../errors.js';
import { decodePercent } from '../text.js';
import type { NatsOptions } from './nats-options.js';

/** Shortest and longest pause between two attempts to reconnect, in milliseconds; doubled from one to the next. */
const BACKOFF_MS = { first: 100, longest: 5_000 };

/** One connection and its way of waiting before attempts. Rejects with BUS_UNREACHABLE, or CONFIG_INVALID on a bad URL. */
export async function openConnection(options: NatsOptions): Promise<NatsConnection> {
  const target = parseNatsUrl(options.url);
  const backoff = new Backoff();
  options.signal?.throwIfAborted();
  const authenticator = await authenticatorOf(options);
  options.signal?.throwIfAborted();
  const opening = openWith({ options, target, backoff, authenticator }).catch((error: unknown) => {
    throw unreachable(target.shown, error);
  });
  const nc = await abandonable(opening, options.signal);
  void backoff.follow(nc);
  return nc;
}

interface Opening {
  readonly options: NatsOptions;
  readonly target: NatsTarget;
  readonly backoff: Backoff;
  readonly authenticator: Authenticator | undefined;
}

async function openWith({ options, target, backoff, authenticator }: Opening): Promise<NatsConnection> {
  const token = options.token ?? target.token;
  const user = options.user ?? target.user;
  const pass = options.pass ?? target.pass;
  const settings: NodeConnectionOptions = {
    servers: [...target.servers],
    name: options.name ?? 'stromaflow',
    timeout: (options.timeoutSeconds ?? 5) * 1000,
    // A lab's server may be down for a night: patches wait for it, bounded by the source's credits.
    maxReconnectAttempts: -1,
    ignoreAuthErrorAbort: true,
    reconnectDelayHandler: () => backoff.delayMs,
    // A peer that vanished without closing its socket is noticed after three of these instead of six minutes.
    pingInterval: 10_000,
    ...(token === undefined ? {} : { token }),
    ...(user === undefined ? {} : { user }),
    ...(pass === undefined ? {} : { pass }),
    ...(authenticator === undefined ? {} : { authenticator }),
    ...(options.tls || target.tls ? { tls: tlsOptions(options, target) } : {}),
  };
  return connect(settings);
}

/** Node checks a certificate against `host` where the name is an IP address; the NATS client leaves it out. */
function tlsOptions({ tls }: NatsOptions, { servers }: NatsTarget): NonNullable<NodeConnectionOptions['tls']> {
  const host = servers[0]?.replace(/:\d+$/, '').replace(/^\[|\]$/g, '') ?? '';
  const byAddress = servers.length === 1 && isIP(host) !== 0 ? { host } : {};
  return { ...tls, ...byAddress };
}

async function authenticatorOf({ credsFile, nkeyFile }: NatsOptions): Promise<Authenticator | undefined> {
  if (credsFile !== undefined && nkeyFile !== undefined)
    throw new StromaflowError('CONFIG_INVALID', 'a credentials file and an nkey are two ways to sign in', {
      fix: 'give one of --nats-creds and --nats-nkey',
    });
  if (credsFile !== undefined) return credsAuthenticator(await readSecret(credsFile, 'the credentials file'));
  if (nkeyFile === undefined) return undefined;
  const text = new TextDecoder().decode(await readSecret(nkeyFile, 'the nkey'));
  // Of a file with comments, or of a credentials file, the line that is a seed.
  const seed = /^\s*(SU[A-Z2-7]{56})\s*$/m.exec(text)?.[1];
  if (seed) return nkeyAuthenticator(new TextEncoder().encode(seed));
  throw new StromaflowError('CONFIG_INVALID', `${nkeyFile}: has no seed of a user's nkey`, {
    fix: 'a seed is a line of 58 letters and digits that begins with SU; nk -gen user writes one',
  });
}

async function readSecret(path: string, what: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new StromaflowError('FILE_NOT_FOUND', `${path}: ${what} cannot be read`, { cause });
  }
}

/** Counts attempts since the connection was lost; the pause is fixed from one attempt to the next. */
class Backoff {
  delayMs = BACKOFF_MS.first;

  async follow(nc: NatsConnection): Promise<void> {
    let attempts = 0;
    for await (const status of nc.status()) {
      if (status.type === 'reconnect') attempts = 0;
      else if (status.type === 'reconnecting') attempts += 1;
      else continue;
      const ceiling = Math.min(BACKOFF_MS.longest, BACKOFF_MS.first * 2 ** attempts);
      // Half of it is random, so that a fleet does not come back in one instant.
      this.delayMs = Math.round(ceiling * (0.5 + Math.random() / 2));
    }
  }
}

interface NatsTarget {
  /** host:port each. */
  readonly servers: readonly string[];
  /** The URL without credentials, for people. */
  readonly shown: string;
  readonly tls: boolean;
  readonly token?: string;
  readonly user?: string;
  readonly pass?: string;
}

export function parseNatsUrl(text: string): NatsTarget {
  // The exported client is called from JavaScript too, where nothing says that the address is missing.
  if (typeof text !== 'string') {
    const fix = "give it as url: connect({ url: 'nats://127.0.0.1:4222' })";
    throw new StromaflowError('CONFIG_INVALID', 'no address of a NATS server is given', { fix });
  }
  const urls = text.split(',').map(part => parseOne(part.trim(), text));
  const login = urls.find(url => url.username !== '');
  const tls = urls.some(url => url.protocol === 'tls:');
  const servers = urls.map(url => `${url.hostname}:${url.port || '4222'}`);
  // A percent sign that escapes nothing stays one: passwords are often typed as they are.
  const user = login && decodePercent(login.username);
  const shown = servers.map(server => `${tls ? 'tls' : 'nats'}://${server}`).join(',');
  if (!login || user === undefined) return { servers, shown, tls };
  if (login.password === '') return { servers, shown, tls, token: user };
  return { servers, shown, tls, user, pass: decodePercent(login.password) };
}

function parseOne(part: string, whole: string): URL {
  const full = part.includes('://') ? part : `nats://${part}`;
  const url = URL.canParse(full) ? new URL(full) : undefined;
  if (!url || url.hostname === '' || !['nats:', 'tls:'].includes(url.protocol) || !['', '/'].includes(url.pathname)) {
    const fix = 'write it as nats://host:4222 (or tls://, with user:pass@ before the host where it asks for them)';
    // The text may hold a password, with any character in it.
    const shown = whole.replace(/^((?:\s*[a-z]+:\/\/)?).*@/is, '$1…@');
    throw new StromaflowError('CONFIG_INVALID', `'${shown}' is not the address of a NATS server`, { fix });
  }
  return url;
}

function unreachable(shown: string, error: unknown): StromaflowError {
  const refused = error instanceof errors.AuthorizationError || error instanceof errors.UserAuthenticationExpiredError;
  const detail = error instanceof Error ? error.message : String(error);
  return new StromaflowError('BUS_UNREACHABLE', `NATS server ${shown}: ${detail.toLowerCase()}`, {
    cause: error,
    ...(refused ? { fix: 'correct the user, password, token, nkey or credentials file' } : {}),
  });
}

/** Settles with `opening` or rejects on abort; a connection that still comes after that is closed. */
async function abandonable(opening: Promise<NatsConnection>, signal?: AbortSignal): Promise<NatsConnection> {
  if (!signal) return opening;
  let onAbort: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([opening, aborted]);
  } catch (error) {
    if (signal.aborted) opening.then(nc => nc.close()).catch(() => {});
    throw error;
  } finally {
    if (onAbort) signal.removeEventListener('abort', onAbort);
  }
}
