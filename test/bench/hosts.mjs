// Hosts of their own on one machine: a network namespace each, on a bridge. Needs root and iproute2.
import { execFileSync } from 'node:child_process';

const ip = (...args) => execFileSync('ip', args, { stdio: ['ignore', 'pipe', 'pipe'] });

/** Why there can be no hosts here; undefined when there can. */
export function whyNoHosts() {
  if (process.platform !== 'linux') return 'network namespaces are of Linux';
  if (process.getuid() !== 0) return 'making network namespaces takes root';
  const name = `sfn${process.pid}`;
  try {
    ip('netns', 'add', name);
    try {
      ip('netns', 'exec', name, 'true');
      ip('link', 'add', `sfp${process.pid % 100_000}`, 'type', 'bridge');
      ip('link', 'del', `sfp${process.pid % 100_000}`);
    } finally {
      ip('netns', 'del', name);
    }
  } catch (error) {
    return `ip netns cannot be used: ${String(error.stderr ?? error.message).trim()}`;
  }
  return undefined;
}

/** A bridge, on which hosts can be put; this process is on it, too. */
export function openHosts() {
  const tag = process.pid % 100_000;
  const bridge = `sfb${tag}`;
  const net = `10.${200 + (tag % 50)}.${Math.floor(tag / 50) % 250}`;
  const names = [];
  let last = 1;
  ip('link', 'add', bridge, 'type', 'bridge');
  ip('addr', 'add', `${net}.1/24`, 'dev', bridge);
  ip('link', 'set', bridge, 'up');
  return {
    /** A new host: `within` is what a command on it has in front. Its cable can be pulled. */
    add() {
      last += 1;
      const [name, cable] = [`sfh${tag}-${last}`, `sfv${tag}-${last}`];
      names.push(name);
      ip('netns', 'add', name);
      ip('link', 'add', cable, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name);
      ip('link', 'set', cable, 'master', bridge);
      ip('-n', name, 'addr', 'add', `${net}.${last}/24`, 'dev', 'eth0');
      ip('-n', name, 'link', 'set', 'lo', 'up');
      ip('-n', name, 'link', 'set', 'eth0', 'up');
      ip('link', 'set', cable, 'up');
      return {
        address: `${net}.${last}`,
        within: ['ip', 'netns', 'exec', name],
        cut: () => void ip('link', 'set', cable, 'down'),
        mend: () => void ip('link', 'set', cable, 'up'),
      };
    },
    close() {
      // Their cables go with them.
      for (const name of names) ip('netns', 'del', name);
      ip('link', 'del', bridge);
    },
  };
}
