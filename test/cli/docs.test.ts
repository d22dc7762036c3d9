import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { COMMANDS } from '#src/cli/commands/index.js';
import { optionTable } from '#src/cli/program.js';

const docs = (name: string): Promise<string> => readFile(new URL(`../../${name}`, import.meta.url), 'utf8');

it('docs/options.md lists every option as the program knows it', async () => {
  await expect(`${HEAD}${optionTable()}\n`).toMatchFileSnapshot('../../docs/options.md');
});

it('the README names commands and options that exist', async () => {
  const text = await docs('README.md');
  const known = new Set(COMMANDS.flatMap(({ options }) => options.map(name => `--${name}`)));
  const commands = new Set(COMMANDS.map(({ usage }) => usage.split(' ')[0]));
  for (const [, command] of text.matchAll(/^(?:npm run -s stromaflow --|stromaflow) ([a-z-]+)/gm)) {
    expect(commands, `stromaflow ${command}`).toContain(command);
  }
  const fences = [...text.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, code]) => code).join('\n');
  for (const [option] of fences.matchAll(/--[a-z][a-z-]+/g)) {
    if (option !== '--help') expect(known, option).toContain(option);
  }
});

it('every page the README links to is there', async () => {
  const links = [...(await docs('README.md')).matchAll(/\]\(([^)#]+)\)/g)].map(([, link]) => link!);
  const local = links.filter(link => !link.startsWith('http'));
  expect(local.length).toBeGreaterThan(5);
  for (const link of local) {
    const { access } = await import('node:fs/promises');
    await expect(access(new URL(`../../${link}`, import.meta.url)), link).resolves.toBeUndefined();
  }
});

const HEAD = `# Options

Flags come before the environment, the environment before the \`--config\` file (YAML or JSON, the same names without dashes in
front), and that before the defaults. \`stromaflow config\` prints what is in force and where it comes from;
\`stromaflow <command> --help\` the options of one command. A key or a variable called STROMAFLOW_… that is no option is refused.

`;
