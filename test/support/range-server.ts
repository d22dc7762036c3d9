import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Asked {
  readonly url: string;
  readonly start: number;
  /** Behind the last byte. */
  readonly end: number;
  readonly headers: IncomingMessage['headers'];
  /** Of all requests, from 1. */
  readonly number: number;
}

/** What a server does instead of answering as it should. */
export type Trouble =
  | { readonly status: number; readonly headers?: Record<string, string>; readonly body?: Buffer }
  /** Sends this many of the bytes, then breaks off. */
  | { readonly cutAfter: number }
  /** Sends this many of the bytes, then nothing, for ever. */
  | { readonly stallAfter: number }
  /** Answers as it should, with other headers; an empty one is left out. */
  | { readonly headers: Record<string, string> };

export interface RangeServer {
  /** Without a slash at its end. */
  readonly url: string;
  readonly asked: Asked[];
  /** Bytes of content that were sent. */
  readonly sent: number;
  /** Requests under way at a time, at most. */
  readonly mostAtOnce: number;
  /** Answers to what is asked next. */
  trouble: (asked: Asked) => Trouble | undefined;
  /** What is served, at every path, and its ETag. */
  file: { bytes: Buffer; etag: string };
  close(): Promise<void>;
}

/** A static file server as nginx is one: one range a request, ETag, If-Match. */
export async function startRangeServer(bytes: Buffer): Promise<RangeServer> {
  const asked: Asked[] = [];
  let [sent, underWay, mostAtOnce] = [0, 0, 0];
  const state = { file: { bytes, etag: '"first"' }, trouble: (_: Asked): Trouble | undefined => undefined };

  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    underWay += 1;
    mostAtOnce = Math.max(mostAtOnce, underWay);
    response.once('close', () => {
      underWay -= 1;
    });
    const { file } = state;
    const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
    const start = range ? Number(range[1]) : 0;
    const end = Math.min(file.bytes.length, range ? Number(range[2]) + 1 : file.bytes.length);
    const { url = '', headers } = request;
    const one: Asked = { url, start, end, headers, number: asked.length + 1 };
    asked.push(one);
    const trouble = state.trouble(one);
    if (trouble && 'status' in trouble) {
      response.writeHead(trouble.status, trouble.headers).end(trouble.body);
      return;
    }
    const match = request.headers['if-match'];
    if (match !== undefined && match !== file.etag) {
      response.writeHead(412).end();
      return;
    }
    if (start >= file.bytes.length) {
      response.writeHead(416, { 'content-range': `bytes */${file.bytes.length}` }).end();
      return;
    }
    const part = file.bytes.subarray(start, end);
    const stated: Record<string, string> = {
      'content-length': String(part.length),
      'content-range': `bytes ${start}-${end - 1}/${file.bytes.length}`,
      etag: file.etag,
      ...(trouble && 'headers' in trouble ? trouble.headers : {}),
    };
    response.writeHead(206, Object.fromEntries(Object.entries(stated).filter(([, value]) => value !== '')));
    if (trouble && ('cutAfter' in trouble || 'stallAfter' in trouble)) {
      const cut = 'cutAfter' in trouble ? trouble.cutAfter : trouble.stallAfter;
      response.write(part.subarray(0, cut), () => {
        if ('cutAfter' in trouble) response.destroy();
      });
      return;
    }
    sent += part.length;
    response.end(part);
  };

  const server = createServer(answer);
  await new Promise<void>(resolve => void server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    get sent() {
      return sent;
    },
    get mostAtOnce() {
      return mostAtOnce;
    },
    get trouble() {
      return state.trouble;
    },
    set trouble(next) {
      state.trouble = next;
    },
    get file() {
      return state.file;
    },
    set file(next) {
      state.file = next;
    },
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
