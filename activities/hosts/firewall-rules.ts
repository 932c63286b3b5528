/** What a firewall has to let in for NFS. Pure. */

export interface FirewallRule {
  address: string;
  port: number;
  protocol: 'tcp' | 'udp';
}

/** NFS 4 needs one port; version 3 also the port mapper and mountd, at its fixed port of the Red Hat family. */
export function nfsPorts(mountOptions: readonly string[]): { port: number; protocol: 'tcp' | 'udp' }[] {
  const isVersion3 = mountOptions.some((option) => /^(nfs)?vers=3(\.|$)/.test(option));
  if (!isVersion3) return [{ port: 2049, protocol: 'tcp' }];
  return [2049, 111, 20048].flatMap((port) => [
    { port, protocol: 'tcp' as const },
    { port, protocol: 'udp' as const },
  ]);
}

export function firewallRules(addresses: readonly string[], mountOptions: readonly string[]): FirewallRule[] {
  return addresses.flatMap((address) => nfsPorts(mountOptions).map((port) => ({ address, ...port })));
}

/** Arguments of ufw behind `ufw` or `ufw delete`. */
export function ufwRule(rule: FirewallRule): string[] {
  return ['allow', 'proto', rule.protocol, 'from', rule.address, 'to', 'any', 'port', String(rule.port)];
}

/** Whether `ufw show added` lists the rule; it prints the parts in an order of its own. */
export function ufwHas(shown: string, rule: FirewallRule): boolean {
  return shown.split('\n').some((line) => {
    const words = line
      .replace(/ comment '.*$/, '')
      .trim()
      .split(/\s+/);
    return (
      words[0] === 'ufw' &&
      words[1] === 'allow' &&
      after(words, 'from') === rule.address &&
      after(words, 'port') === String(rule.port) &&
      after(words, 'proto') === rule.protocol
    );
  });
}

function after(words: readonly string[], name: string): string | undefined {
  const index = words.indexOf(name);
  return index < 0 ? undefined : words[index + 1];
}

/** A rich rule of firewalld: the only kind that names both a source and a port. */
export function richRule(rule: FirewallRule): string {
  const family = rule.address.includes(':') ? 'ipv6' : 'ipv4';
  return `rule family="${family}" source address="${rule.address}" port port="${rule.port}" protocol="${rule.protocol}" accept`;
}
