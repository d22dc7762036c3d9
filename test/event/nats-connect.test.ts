import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nkeys } from '@nats-io/nats-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connect } from '#src/event/client.js';
import { connectNatsBus } from '#src/event/nats-bus.js';
import { parseNatsUrl } from '#src/event/nats-connect.js';
import { selfSignedCertificate } from '../support/certificate.js';
import { startNatsServer } from '../support/nats-server.js';
import { aggregate, createSampleEvents } from './samples.js';

const event = createSampleEvents().aggregate(aggregate, 'r');
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stromaflow-test-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function file(name: string, text: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
}

describe('parseNatsUrl', () => {
  it.each([
    ['nats://host', { servers: ['host:4222'], shown: 'nats://host:4222', tls: false }],
    ['host:1234', { servers: ['host:1234'], shown: 'nats://host:1234', tls: false }],
    ['tls://host', { servers: ['host:4222'], shown: 'tls://host:4222', tls: true }],
    ['nats://[::1]:5', { servers: ['[::1]:5'], shown: 'nats://[::1]:5', tls: false }],
    ['nats://t0k@h', { servers: ['h:4222'], shown: 'nats://h:4222', tls: false, token: 't0k' }],
    ['nats://u:p%40@h', { servers: ['h:4222'], shown: 'nats://h:4222', tls: false, user: 'u', pass: 'p@' }],
    [
      'a:1,nats://u:p@b:2',
      { servers: ['a:1', 'b:2'], shown: 'nats://a:1,nats://b:2', tls: false, user: 'u', pass: 'p' },
    ],
  ])('reads %s', (text, target) => {
    expect(parseNatsUrl(text)).toEqual(target);
  });

  it.each(['', 'http://host', 'nats://', 'nats://host/path', 'nats://ho st', 'nats://host:99999', 'a,,b'])(
    'refuses %j',
    text => {
      expect(() => parseNatsUrl(text)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
    },
  );

  it('says what is missing where JavaScript gives none', async () => {
    const given = connect({} as never);
    await expect(given).rejects.toMatchObject({ code: 'CONFIG_INVALID', fix: expect.stringContaining('url') });
    await expect((connect as () => Promise<unknown>)()).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });

  it('does not repeat a password in its complaint', () => {
    expect(() => parseNatsUrl('nats://user:secret@host:99999')).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('secret') }),
    );
  });
});

describe('TLS', () => {
  it('is used with the authority of a file, and not without it', async () => {
    const { cert, key } = selfSignedCertificate();
    const caFile = await file('ca.pem', cert);
    const keyFile = await file('key.pem', key);
    const config = `tls { cert_file: ${JSON.stringify(caFile)}, key_file: ${JSON.stringify(keyFile)} }`;
    const server = await startNatsServer({ config });
    const url = `tls://127.0.0.1:${server.port}`;
    const bus = await connectNatsBus({ url, tls: { caFile } });
    expect(bus.description).toContain(url);
    await bus.publish(event);
    await bus.close();
    await expect(connectNatsBus({ url })).rejects.toMatchObject({
      code: 'BUS_UNREACHABLE',
      message: expect.stringContaining('self-signed certificate'),
    });
    await server.stop();
  });

  it('is insisted on when the URL says tls', async () => {
    const server = await startNatsServer();
    await expect(connectNatsBus({ url: `tls://127.0.0.1:${server.port}` })).rejects.toMatchObject({
      code: 'BUS_UNREACHABLE',
      message: expect.stringContaining("server does not support 'tls'"),
    });
    await server.stop();
  });
});

describe('a credentials file', () => {
  it('signs in by JWT and nkey', async () => {
    const operator = nkeys.createOperator();
    const account = nkeys.createAccount();
    const user = nkeys.createUser();
    const [op, acc, usr] = [operator, account, user].map(pair => pair.getPublicKey()) as [string, string, string];
    const operatorJwt = jwt(operator, op, 'lab', { type: 'operator', version: 2 });
    const accountJwt = jwt(operator, acc, 'scanners', { type: 'account', version: 2, limits: UNLIMITED });
    const userJwt = jwt(account, usr, 'stromaflow', { type: 'user', version: 2, subs: -1, data: -1, payload: -1 });
    const config = `operator: ${operatorJwt}\nresolver: MEMORY\nresolver_preload: { ${acc}: ${accountJwt} }`;
    const server = await startNatsServer({ config });
    const credsFile = await file(
      'user.creds',
      [
        ['NATS USER JWT', userJwt],
        ['USER NKEY SEED', new TextDecoder().decode(user.getSeed())],
      ]
        .map(([title, text]) => `-----BEGIN ${title}-----\n${text}\n------END ${title}------\n`)
        .join('\n'),
    );
    const bus = await connectNatsBus({ url: server.url, credsFile });
    await bus.publish(event);
    await bus.close();
    await expect(connectNatsBus({ url: server.url })).rejects.toMatchObject({ code: 'BUS_UNREACHABLE' });
    await server.stop();
  });

  it('that is missing is named', async () => {
    const credsFile = join(folder, 'absent.creds');
    await expect(connectNatsBus({ url: 'nats://127.0.0.1:1', credsFile })).rejects.toMatchObject({
      code: 'FILE_NOT_FOUND',
      message: expect.stringContaining('absent.creds'),
    });
  });
});

describe('an nkey', () => {
  it('signs in by its seed, over TLS too, and no other key does', async () => {
    const [user, stranger] = [nkeys.createUser(), nkeys.createUser()];
    const seedOf = (pair: typeof user): string => new TextDecoder().decode(pair.getSeed());
    const server = await startNatsServer({ config: `authorization { users: [ { nkey: ${user.getPublicKey()} } ] }` });
    const nkeyFile = await file('user.nk', `# of the scanner in room 2\n${seedOf(user)}\n`);
    const bus = await connectNatsBus({ url: server.url, nkeyFile });
    await bus.publish(event);
    await bus.close();
    const wrong = connectNatsBus({ url: server.url, nkeyFile: await file('other.nk', seedOf(stranger)) });
    await expect(wrong).rejects.toMatchObject({ code: 'BUS_UNREACHABLE', fix: expect.stringContaining('nkey') });
    await server.stop();
  });

  it('that is missing, is none, or is one of two ways is refused in a line that shows no secret', async () => {
    const { url } = { url: 'nats://127.0.0.1:1' };
    await expect(connectNatsBus({ url, nkeyFile: join(folder, 'absent.nk') })).rejects.toMatchObject({
      code: 'FILE_NOT_FOUND',
    });
    const nkeyFile = await file('public.nk', nkeys.createUser().getPublicKey());
    await expect(connectNatsBus({ url, nkeyFile })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: `${nkeyFile}: has no seed of a user's nkey`,
    });
    await expect(connectNatsBus({ url, nkeyFile, credsFile: nkeyFile })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
    });
  });
});

const UNLIMITED = { subs: -1, data: -1, payload: -1, imports: -1, exports: -1, wildcards: true, conn: -1, leaf: -1 };

/** A JWT as nats-server reads it: signed with an nkey (docs.nats.io, JWT guide). */
function jwt(signer: ReturnType<typeof nkeys.createUser>, subject: string, name: string, nats: object): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = { jti: 'test', iat: 1_700_000_000, iss: signer.getPublicKey(), sub: subject, name, nats };
  const signed = `${part({ typ: 'JWT', alg: 'ed25519-nkey' })}.${part(claims)}`;
  return `${signed}.${Buffer.from(signer.sign(new TextEncoder().encode(signed))).toString('base64url')}`;
}
