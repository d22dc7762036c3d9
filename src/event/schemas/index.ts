import { aggregateSchema } from './aggregate.js';
import { deadLetterSchema } from './dead-letter.js';
import { maskHeadersSchema } from './mask-headers.js';
import { slideSchemas } from './slide.js';

/** JSON Schemas (2020-12) of everything the contract publishes. */
export const eventSchemas = {
  slide: slideSchemas,
  aggregate: aggregateSchema,
  deadLetter: deadLetterSchema,
  maskHeaders: maskHeadersSchema,
} as const;
