/**
 * Whoever reads what a command prints may end first (`stromaflow tail | head`). Then the command is interrupted as by
 * SIGTERM: what is under way is finished, and nothing is lost. Any other failure to print is said, interrupts likewise, and
 * makes the status 1 where it would have been 0.
 */
export function endWithReader(process: NodeJS.Process): void {
  let told = false;
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (told) return;
    told = true;
    if (error.code !== 'EPIPE') {
      process.stderr.write(`stromaflow: standard output cannot be written (${error.message})\n`);
      process.once('exit', () => {
        process.exitCode ||= 1;
      });
    }
    // To those who listen alone: a command that is over needs no signal.
    process.emit('SIGTERM', 'SIGTERM');
  });
  // Nobody is left to be told.
  process.stderr.on('error', () => undefined);
}
