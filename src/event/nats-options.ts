/** How to reach NATS. In a file of its own: whoever compiles against the package needs no type of the NATS client's. */
export interface NatsOptions {
  /**
   * One server or several of a cluster, separated by commas: `nats://host:4222`, `tls://host`, `nats://user:pass@host`,
   * `nats://token@host`, or plain `host:port`. Credentials are taken from the first that has them.
   */
  readonly url: string;
  /** Name of this client on the server's monitoring pages. @default 'stromaflow' */
  readonly name?: string;
  /** A `.creds` file (JWT and nkey seed). */
  readonly credsFile?: string;
  /** A file with the seed of an nkey (`SU…`), as `nk -gen user` writes it. */
  readonly nkeyFile?: string;
  readonly token?: string;
  readonly user?: string;
  readonly pass?: string;
  /** PEM files; `{}` insists on TLS with the system's authorities. */
  readonly tls?: { readonly caFile?: string; readonly certFile?: string; readonly keyFile?: string };
  /**
   * How events are published: 'jetstream' to the streams of `stromaflow events setup`, 'core' to whoever listens now, 'auto' to the
   * streams where they are there. @default 'core'
   */
  readonly publish?: 'auto' | 'jetstream' | 'core';
  /** The streams of shared work are needed, too. @default false */
  readonly work?: boolean;
  /** First tokens of the subjects that are published to. @default 'stroma.v1' */
  readonly prefix?: string;
  /** Seconds to wait for the first connection. @default 5 */
  readonly timeoutSeconds?: number;
  /** Gives up the first connection; the bus is closed with close(). */
  readonly signal?: AbortSignal;
}
