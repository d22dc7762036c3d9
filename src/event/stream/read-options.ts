/** Where to begin: with what is stored, with what comes from now on, or with what was stored at this time or later. */
export type From = 'all' | 'new' | Date;

/** What a reader is told besides events. */
export type Notice =
  | { readonly kind: 'away' | 'back' }
  /** Events were lost to this reader; what the stream has now follows from its start, under the ids it had. */
  | { readonly kind: 'gap'; readonly message: string };

export interface ReadOptions {
  readonly from: From;
  readonly signal: AbortSignal;
  /** Told of gaps; without it a gap ends the iteration with EVENTS_GAP. */
  readonly onNotice?: ((notice: Notice) => void) | undefined;
}
