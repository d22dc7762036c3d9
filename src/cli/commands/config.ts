import { environmentName, OPTIONS, type OptionName } from '../../config/options.js';
import { type Command, GENERAL } from '../command.js';

/** Shows what is in force and where it came from; what is wrong has been refused before it gets here. */
export const config: Command = {
  usage: 'config',
  summary: 'print every option, the value in force and where it comes from',
  options: (Object.keys(OPTIONS) as OptionName[]).filter(name => !GENERAL.includes(name)).concat(GENERAL),
  async run({ loaded, terminal }) {
    const names = Object.keys(OPTIONS) as OptionName[];
    for (const name of names) {
      const { value, origin } = loaded.settings[name];
      terminal.line(
        `${name.padEnd(20)} ${String(value ?? '—').padEnd(28)} ${origin.padEnd(12)} ${environmentName(name)}`,
      );
    }
    terminal.json(Object.fromEntries(names.map(name => [name, loaded.settings[name]])));
    return 0;
  },
};
