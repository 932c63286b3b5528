import type { ShareHostInput, StepOutcome } from '../../contracts/host-activities';
import { makeSo, outcome } from './change';
import { firewallRules, richRule, ufwHas, ufwRule, type FirewallRule } from './firewall-rules';
import { saidBy, stuck } from './failures';
import type { Host } from './host';
import { execScript, run } from './host-files';
import { exportClients } from './share-names';

type FirewallKind = 'ufw' | 'firewalld' | 'none';

const findScript = `
if command -v ufw >/dev/null 2>&1 && ufw status 2>/dev/null | grep -q '^Status: active'; then echo ufw
elif command -v firewall-cmd >/dev/null 2>&1 && [ "$(firewall-cmd --state 2>/dev/null)" = running ]; then echo firewalld
else echo none; fi
`;

async function readFirewall(host: Host): Promise<FirewallKind> {
  const words = (await execScript(host, findScript)).stdout.trim();
  return words === 'ufw' || words === 'firewalld' ? words : 'none';
}

interface FirewallState {
  kind: FirewallKind;
  /** Rules that are missing, as text: only those are added, and taken back. */
  missing: string[];
}

/**
 * Lets NFS in from exactly the clients, now and after a reboot, where a firewall is active on the server. May run twice:
 * see makeSo; each rule is looked up before it is added, so a killed attempt's rules are found and not added again.
 */
export async function ensureFirewall(host: Host, input: ShareHostInput): Promise<StepOutcome> {
  const kind = await readFirewall(host);
  if (kind === 'none') return outcome('no firewall is active on the server');
  const addresses = await numericAddresses(
    host,
    exportClients(input.runbook, input.share).map((each) => each.address),
  );
  const rules = firewallRules(addresses, input.share.mountOptions);
  const made = await makeSo<FirewallState>(host, input, {
    id: `firewall-${input.share.id}`,
    kind: 'firewall',
    what: kind,
    look: async () => ({ kind, missing: (await missingRules(host, kind, rules)).map(ruleText) }),
    isSo: (state) => state.missing.length === 0,
    act: async (_before, now) => {
      for (const rule of rules.filter((each) => now.missing.includes(ruleText(each))))
        await addRule(host, kind, rule, input.run);
    },
    describe: (state) =>
      state.missing.length === 0
        ? `NFS allowed from ${addresses.join(', ')}`
        : `not allowed: ${state.missing.join('; ')}`,
    about: { firewall: kind },
    undo: `take the rules for NFS out of ${kind}`,
    failure: (state) =>
      stuck({
        type: 'CommandFailed',
        message: `${kind} does not list the rules that were just added`,
        host: host.name,
        at: kind,
        why: state.missing.join('; '),
        remedy: `add them by hand on ${host.name}, then retry`,
      }),
  });
  return outcome(
    made.changed ? `${kind} lets NFS in from ${addresses.length} clients` : `${kind} let NFS in already`,
    made.change,
  );
}

export async function undoFirewall(host: Host, before: FirewallState): Promise<string> {
  for (const text of before.missing) {
    const [address = '', port = '', protocol] = text.split(' ');
    const rule: FirewallRule = { address, port: Number(port), protocol: protocol === 'udp' ? 'udp' : 'tcp' };
    const missing = await missingRules(host, before.kind, [rule]);
    if (missing.length === 0) await removeRule(host, before.kind, rule);
  }
  return `the rules of this run are out of ${before.kind}`;
}

function ruleText(rule: FirewallRule): string {
  return `${rule.address} ${rule.port} ${rule.protocol}`;
}

async function missingRules(host: Host, kind: FirewallKind, rules: readonly FirewallRule[]): Promise<FirewallRule[]> {
  if (kind === 'ufw') {
    const shown = await run(host, ['ufw', 'show', 'added'], {
      message: 'ufw does not list its rules',
      remedy: `run "ufw show added" on ${host.name} and mend what it says, then retry`,
    });
    return rules.filter((rule) => !ufwHas(shown.stdout, rule));
  }
  const missing: FirewallRule[] = [];
  for (const rule of rules) {
    const query = `--query-rich-rule=${richRule(rule)}`;
    const now = await host.exec(['firewall-cmd', query]);
    const later = await host.exec(['firewall-cmd', '--permanent', query]);
    if (now.code !== 0 || later.code !== 0) missing.push(rule);
  }
  return missing;
}

async function addRule(host: Host, kind: FirewallKind, rule: FirewallRule, runName: string): Promise<void> {
  if (kind === 'ufw') return change(host, ['ufw', ...ufwRule(rule), 'comment', `shardlift ${runName}`]);
  // both: without a reload, which would drop what others changed at run time only
  await change(host, ['firewall-cmd', '--permanent', `--add-rich-rule=${richRule(rule)}`]);
  await change(host, ['firewall-cmd', `--add-rich-rule=${richRule(rule)}`]);
}

async function removeRule(host: Host, kind: FirewallKind, rule: FirewallRule): Promise<void> {
  if (kind === 'ufw') return change(host, ['ufw', 'delete', ...ufwRule(rule)]);
  await change(host, ['firewall-cmd', '--permanent', `--remove-rich-rule=${richRule(rule)}`]);
  await change(host, ['firewall-cmd', `--remove-rich-rule=${richRule(rule)}`]);
}

async function change(host: Host, argv: readonly string[]): Promise<void> {
  const result = await host.exec(argv);
  if (result.code === 0 || /ALREADY_ENABLED|NOT_ENABLED/.test(result.stderr)) return;
  throw stuck({
    type: 'CommandFailed',
    message: `${argv[0]} refuses a rule`,
    host: host.name,
    at: argv[0],
    why: saidBy(result),
    remedy: `run ${argv.slice(0, 2).join(' ')} … on ${host.name} by hand and see what it says, then retry`,
  });
}

/** Firewalls know addresses only: names of the runbook are looked up on the server, where the packets arrive. */
async function numericAddresses(host: Host, names: readonly string[]): Promise<string[]> {
  const script =
    'for n; do a=$(getent ahosts "$n" | cut -d" " -f1 | sort -u) || { echo "$n" >&2; exit 44; }; echo "$a"; done';
  const result = await execScript(host, script, names);
  if (result.code !== 0) {
    throw stuck({
      type: 'CommandFailed',
      message: `${host.name} does not know the address of ${result.stderr.trim()}`,
      host: host.name,
      remedy: 'give the hosts in the runbook by IP address, or mend name resolution on the server, then retry',
    });
  }
  return [...new Set(result.stdout.trim().split('\n').filter(Boolean))];
}
