/** One CloudEvent 1.0 in NATS binary mode: attributes become `ce-` headers, `data` is the payload. */
export interface BusEvent {
  readonly subject: string;
  /** ce-id and Nats-Msg-Id: equal for equal effects, so that repeats can be dropped. */
  readonly id: string;
  readonly type: string;
  readonly source: string;
  /** RFC 3339. */
  readonly time: string;
  /** MIME type of `data`. */
  readonly contentType: string;
  /** CloudEvents extension attributes: lower-case letters and digits only. */
  readonly extensions: Readonly<Record<string, string>>;
  readonly data: Uint8Array;
}
