/** What the package exports for browsers as `stromaflow/browser`: the subscriber client over WebSocket, and the event contract. */
export { ERRORS, type ErrorCode, StromaflowError } from './errors.js';
export type { BrowserOptions } from './event/browser.js';
export { connect } from './event/browser.js';
export type { BusEvent, EventBus } from './event/bus.js';
export type * from './event/decode.js';
export { decodeEvent } from './event/decode.js';
export type { EventStream } from './event/event-stream.js';
export type * from './event/payloads.js';
export { eventSchemas } from './event/schemas/index.js';
export type { SlideMask } from './event/slide-mask.js';
export type { From, Notice } from './event/stream/read-options.js';
export type * from './event/subscriber.js';
export { createClient } from './event/subscriber.js';
export { decodeMaskPng } from './mask/png.js';
