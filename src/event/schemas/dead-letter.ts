import { DEATH_KINDS } from '../dead-letter-kind.js';
import { DLQ_STAGES } from '../subjects.js';
import { error, place, run, slide } from './parts.js';
import { count, document, object, oneOf } from './schema.js';

export const deadLetterSchema = document(
  'dead-letter',
  'Dead letter',
  object('What was given up on.', {
    slide,
    run,
    stage: oneOf('Where it failed.', DLQ_STAGES),
    'patch?': object('The patch; absent when the whole slide was given up on.', place),
    attempts: count('Attempts made.', 1),
    'kind?': oneOf(
      'permanent: its content is at fault; poison: it broke what took it up; transient: what it needs was not there.',
      DEATH_KINDS,
    ),
    error,
  }),
);
