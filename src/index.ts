/** What the package exports: the subscriber client and the event contract. The pipeline is the command line, and `stromaflow/pipeline`. */
export { ERRORS, type ErrorCode, StromaflowError } from './errors.js';
export type { BusEvent, EventBus } from './event/bus.js';
export type * from './event/client.js';
export { connect, createClient } from './event/client.js';
export type * from './event/decode.js';
export { decodeEvent } from './event/decode.js';
export { describeEvent } from './event/describe.js';
export type { EventStream } from './event/event-stream.js';
export type * from './event/payloads.js';
export { eventSchemas } from './event/schemas/index.js';
export type { SlideMask } from './event/slide-mask.js';
export type { From, Notice } from './event/stream/read-options.js';
export { decodeMaskPng } from './mask/png.js';
export { VERSION } from './version.js';
