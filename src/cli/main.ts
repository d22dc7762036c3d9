#!/usr/bin/env node
import { toStromaflowError } from '../errors.js';
import { VERSION } from '../version.js';
import { endWithReader } from './closed-output.js';
import { COMMANDS } from './commands/index.js';
import { interruptibleOutside } from './interrupt.js';
import { runProgram } from './program.js';
import type { Terminal } from './terminal.js';

let terminal: Terminal | undefined;
let verbose = false;

endWithReader(process);
interruptibleOutside();

try {
  const status = await runProgram(process.argv.slice(2), {
    version: VERSION,
    commands: COMMANDS,
    onTerminal: (created, isVerbose) => {
      terminal = created;
      verbose = isVerbose;
    },
  });
  process.exitCode = status;
} catch (caught) {
  const error = toStromaflowError(caught);
  const { code, message, fix } = error;
  terminal?.json({ error: { code, message, fix } });
  process.stderr.write(`stromaflow: ${error.line}\n`);
  if (verbose || code === 'INTERNAL')
    process.stderr.write(`${(error.cause as Error | undefined)?.stack ?? error.stack}\n`);
  process.exitCode = error.exitCode;
}
