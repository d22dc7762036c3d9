import { Command as CommanderCommand, CommanderError, Option } from 'commander';
import { loadConfig } from '../config/load.js';
import { environmentName, OPTIONS, type OptionName, type OptionSpec } from '../config/options.js';
import { StromaflowError } from '../errors.js';
import { isAddress, withoutSecrets } from '../slide/remote/address.js';
import type { Command } from './command.js';
import { interruptible } from './interrupt.js';
import { createTerminal, type Terminal } from './terminal.js';

export interface ProgramOptions {
  readonly version: string;
  readonly commands: readonly Command[];
  /** Told the terminal as soon as it is known, so that a failure is printed the way --json asks. */
  readonly onTerminal: (terminal: Terminal, verbose: boolean) => void;
}

const DESCRIPTION = `Segments tumour-associated stroma on whole-slide images while the scanner is still writing them.
Research use; not a medical device.`;

const EPILOGUE = `
Options come from flags, then the environment (STROMAFLOW_…), then the --config file, then the defaults.
Exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted after a clean drain.`;

/** Parses the arguments and runs the command; resolves to the exit status, rejects with a StromaflowError. */
export async function runProgram(argv: readonly string[], options: ProgramOptions): Promise<number> {
  let status = 0;
  const program = new CommanderCommand('stromaflow')
    .description(DESCRIPTION)
    .version(options.version, '-V, --version', 'print the version')
    .helpCommand('help [command]', 'print the help of a command')
    .addHelpText('after', EPILOGUE)
    .configureOutput({ writeErr: () => undefined })
    .exitOverride();
  for (const command of options.commands) {
    addCommand(program, command, options.onTerminal, code => {
      status = code;
    });
  }
  try {
    if (argv.length === 0) program.outputHelp();
    else await program.parseAsync([...argv], { from: 'user' });
    return status;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return 0;
    if (error.code === 'commander.help') {
      const names = program.commands.find(item => item.name() === argv[0])?.commands.map(item => item.name()) ?? [];
      throw new StromaflowError('USAGE', `${argv[0]} needs one of ${names.join(', ')} behind it`);
    }
    throw new StromaflowError('USAGE', error.message.replace(/^error: /, '').replace(/\s+/g, ' '), { cause: error });
  }
}

function addCommand(
  program: CommanderCommand,
  command: Command,
  onTerminal: ProgramOptions['onTerminal'],
  done: (status: number) => void,
): void {
  const sub = parentOf(program, command)
    .command(command.usage.replace(/^[a-z-]+ (?=[a-z])/, ''))
    .summary(command.summary)
    .description(command.notes ? `${command.summary}\n\n${command.notes.replaceAll('\n', ' ')}` : command.summary)
    .configureHelp({ sortOptions: false })
    .action(async (...parameters: unknown[]) => {
      const flags = (parameters.at(-2) ?? {}) as Record<string, unknown>;
      const named = Object.fromEntries(command.options.map(name => [name, flags[camelCase(name)]]));
      const loaded = await loadConfig(named);
      const { config } = loaded;
      const terminal = createTerminal(process.stdout, config.json);
      onTerminal(terminal, config.verbose);
      const interrupt = interruptible(() => {
        terminal.line('interrupted: finishing what is under way (press again to stop at once)');
      });
      try {
        const args = parameters.slice(0, -2).flat() as string[];
        refuseAddresses(command, args);
        const { signal } = interrupt;
        done(await command.run({ args, config, loaded, terminal, signal }));
      } finally {
        interrupt.dispose();
        terminal.close();
      }
    });
  for (const name of command.options) sub.addOption(describeOption(name));
}

/** An address may hold a password: it is not shown. */
function refuseAddresses({ usage, takesAddresses }: Command, args: readonly unknown[]): void {
  const address = args.find((arg): arg is string => typeof arg === 'string' && isAddress(arg));
  if (takesAddresses || address === undefined) return;
  const name = usage.replace(/ [<[].*$/, '');
  throw new StromaflowError('USAGE', `${withoutSecrets(address)}: ${name} takes no address`, {
    fix: 'stromaflow segment reads a whole slide at an address; for all else copy it to a folder',
  });
}

/** 'labels check <set>' stands below `labels`, which is made with the first of its commands. */
function parentOf(program: CommanderCommand, { usage, group = '' }: Command): CommanderCommand {
  const name = /^([a-z-]+) [a-z]/.exec(usage)?.[1];
  if (name === undefined) return program;
  const known = program.commands.find(item => item.name() === name);
  return known ?? program.command(name).summary(group).description(group);
}

function describeOption(name: OptionName): Option {
  const spec: OptionSpec = OPTIONS[name];
  const flags = spec.type === 'boolean' ? `--${name}` : `--${name} <${spec.unit ?? 'value'}>`;
  const stated =
    spec.default === undefined || spec.default === false ? '' : ` (default: ${spec.default}${unitOf(spec)})`;
  return new Option(flags, `${spec.help}${stated}`).helpGroup(`${spec.group[0]!.toUpperCase()}${spec.group.slice(1)}:`);
}

const unitOf = ({ type, unit }: OptionSpec): string =>
  unit && (type === 'integer' || type === 'number') ? ` ${unit}` : '';

const camelCase = (name: string): string => name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());

/** For docs/options.md: every option as a table. */
export function optionTable(): string {
  const rows = (Object.entries(OPTIONS) as [OptionName, OptionSpec][]).map(
    ([name, spec]) =>
      `| \`--${name}\` | ${spec.unit ?? ''} | ${spec.default ?? ''} | \`${environmentName(name)}\` | ${spec.help} |`,
  );
  return ['| option | unit | default | environment | meaning |', '|---|---|---|---|---|', ...rows].join('\n');
}
