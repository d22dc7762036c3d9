import { describe, expect, it } from 'vitest';
import type { Command, CommandContext } from '#src/cli/command.js';
import { COMMANDS } from '#src/cli/commands/index.js';
import { optionTable, runProgram } from '#src/cli/program.js';
import { OPTIONS } from '#src/config/options.js';

const probe = (seen: CommandContext[]): Command => ({
  usage: 'probe <slide...>',
  summary: 'for the test',
  options: ['batch', 'keep-empty', 'json'],
  async run(context) {
    seen.push(context);
    return 7;
  },
});

const run = (argv: string[], commands: readonly Command[]) =>
  runProgram(argv, { version: '1.2.3', commands, onTerminal: () => undefined });

describe('runProgram', () => {
  it('gives a command its arguments and options, and its status back', async () => {
    const seen: CommandContext[] = [];
    const status = await run(['probe', 'a.svs', 'b.svs', '--batch', '8', '--keep-empty'], [probe(seen)]);
    expect(status).toBe(7);
    expect(seen[0]?.args).toEqual(['a.svs', 'b.svs']);
    expect(seen[0]?.config).toMatchObject({ batch: 8, 'keep-empty': true, json: false });
  });

  it.each([
    [['probe', 'a.svs', '--bach', '8'], /unknown option '--bach'/],
    [['probe'], /missing required argument 'slide'/],
    [['prob', 'a.svs'], /unknown command 'prob'/],
    [['probe', 'a.svs', '--batch'], /argument missing/],
    [['probe', 'a.svs', '--batch', 'x'], /--batch: expected a whole number/],
  ])('refuses %j as wrong usage, in one line', async (argv, message) => {
    const failing = run(argv, [probe([])]);
    await expect(failing).rejects.toMatchObject({
      code: 'USAGE',
      exitCode: 2,
      message: expect.stringMatching(message),
    });
  });

  it('has every option in the help of some command, with its unit', () => {
    const offered = new Set(COMMANDS.filter(({ usage }) => usage !== 'config').flatMap(command => command.options));
    expect(Object.keys(OPTIONS).filter(name => !offered.has(name as never))).toEqual([]);
    for (const name of Object.keys(OPTIONS)) expect(optionTable()).toContain(`--${name}`);
  });
});
