import type { Command } from '../command.js';
import { compare } from './compare.js';
import { config } from './config.js';
import { demo } from './demo.js';
import { dlqDrop, dlqList, dlqRetry } from './dlq.js';
import { doctor } from './doctor.js';
import { eventsCheck, eventsSetup } from './events.js';
import { labelsCheck, labelsSplit } from './labels.js';
import { modelFreeze, modelImport, modelInspect, modelQuantise, modelRun, modelVerify } from './model.js';
import { replay } from './replay.js';
import { segment } from './segment.js';
import { simulate } from './simulate-scan.js';
import { study } from './study.js';
import { tail } from './tail.js';
import { trainCommand } from './train.js';
import { watch } from './watch.js';
import { worker } from './worker.js';

/** In the order of the help. */
export const COMMANDS: readonly Command[] = [
  demo,
  segment,
  watch,
  worker,
  simulate,
  replay,
  compare,
  trainCommand,
  study,
  labelsCheck,
  labelsSplit,
  modelImport,
  modelInspect,
  modelVerify,
  modelFreeze,
  modelQuantise,
  modelRun,
  tail,
  eventsSetup,
  eventsCheck,
  dlqList,
  dlqRetry,
  dlqDrop,
  doctor,
  config,
];
