import { repositoryName } from '../../../contracts/ids';
import type { MigrationRunbook } from '../../../contracts/runbook';
import type { Check } from '../../../contracts/status';
import { planRepositories } from '../layout';
import type { ClusterView } from '../view';
import { nameOf } from './cluster-checks';
import { failed, listed, noneOf, notApplicable, passed, type CheckSubject } from './make-check';

/** Repositories: names free or ours, directories below path.repo, no second writer to the same place. */
export function checkRepositories(runbook: MigrationRunbook, source: ClusterView, target: ClusterView): Check[] {
  return [source, target].flatMap((view) => [
    checkName(runbook, view),
    checkPathRepo(runbook, view),
    checkOtherWriters(runbook, view),
  ]);
}

function planned(runbook: MigrationRunbook, view: ClusterView) {
  return planRepositories(runbook).find(({ side }) => side === view.facts.side);
}

function checkName(runbook: MigrationRunbook, view: ClusterView): Check {
  const name = repositoryName(runbook, view.facts.side);
  const plan = planned(runbook, view);
  const there = view.repositories[name];
  const where = nameOf(view);
  if (plan?.register === false) {
    const subject: CheckSubject = { id: 'repository.there', level: 'mandatory', where, wanted: `a repository ${name}` };
    if (!there) {
      return failed(
        subject,
        `registered: ${listed(Object.keys(view.repositories)) || 'none'}`,
        'correct snapshot.repository.existing, or register the repository first',
      );
    }
    const isReadonly = there.settings['readonly'] === 'true' || there.type === 'url';
    return view.facts.side === 'target' && !isReadonly
      ? failed(
          { ...subject, level: 'warning', wanted: `${name} registered read-only` },
          `type ${there.type}, writable`,
          'two clusters that write to one repository damage it: register it with "readonly": true on the target',
        )
      : passed(subject, `type ${there.type}`);
  }
  // the source writes snapshots into it; registerRepository asks the same
  const isWritten = view.facts.side === 'source';
  const subject: CheckSubject = {
    id: 'repository.free',
    level: 'mandatory',
    where,
    wanted: `no repository ${name}, or ${isWritten ? 'a writable one' : 'one'} of type fs at ${plan?.location}`,
  };
  if (!there) return passed(subject, 'the name is free');
  const isReadonly = there.settings['readonly'] === 'true';
  const seen = `${name} of type ${there.type} at ${there.settings['location'] ?? 'no location'}${isReadonly ? ', read-only' : ''}`;
  return there.type === 'fs' && there.settings['location'] === plan?.location && !(isWritten && isReadonly)
    ? passed(subject, seen)
    : failed(
        subject,
        seen,
        'it belongs to something else and is left alone: choose another snapshot.repository.name, or delete the registration if it is not needed (its files stay)',
      );
}

/** With sharedFilesystem the run itself sees to path.repo; an existing directory must be in it already. */
function checkPathRepo(runbook: MigrationRunbook, view: ClusterView): Check {
  const plan = planned(runbook, view);
  const subject: CheckSubject = {
    id: 'cluster.path-repo',
    level: 'mandatory',
    where: nameOf(view),
    wanted: `${plan?.location ?? 'the directory'} below path.repo on every node`,
  };
  const { existing } = runbook.snapshot?.repository ?? {};
  if (existing?.location === undefined) {
    return notApplicable(subject, existing ? 'the repository is registered already' : 'the run sets path.repo');
  }
  const location = plan?.location ?? existing.location;
  const lacking = view.facts.nodes
    .filter(({ roles }) => usesRepositories(roles))
    .filter(({ pathRepo }) => !pathRepo.some((root) => isBelow(location, root)))
    .map(({ name, pathRepo }) => `${name} (${pathRepo.join(', ') || 'empty'})`);
  return noneOf(subject, lacking, {
    good: 'on every node',
    bad: 'not on',
    remedy:
      'put the directory into path.repo in elasticsearch.yml of these nodes and restart them one by one, or let the run do it with sharedFilesystem',
  });
}

/** Only nodes that hold data or may become master open a repository. */
export function usesRepositories(roles: string[]): boolean {
  return roles.some((role) => role === 'master' || role === 'cluster_manager' || role.startsWith('data'));
}

function isBelow(directory: string, root: string): boolean {
  const bare = root.replace(/\/+$/, '');
  return directory === bare || directory.startsWith(`${bare}/`);
}

function checkOtherWriters(runbook: MigrationRunbook, view: ClusterView): Check {
  const plan = planned(runbook, view);
  const subject: CheckSubject = {
    id: 'repository.alone',
    level: 'warning',
    where: nameOf(view),
    wanted: 'no other repository that writes to the same directory',
  };
  if (plan?.location === undefined) return notApplicable(subject, 'the repository is registered already');
  const others = Object.entries(view.repositories)
    .filter(([name, { settings }]) => name !== plan.name && settings['location'] === plan.location)
    .filter(([, { settings }]) => settings['readonly'] !== 'true')
    .map(([name]) => name);
  return noneOf(subject, others, {
    good: 'none',
    bad: 'also registered as',
    remedy:
      'two registrations that write to one directory damage it: take no snapshots by the other one while the run goes on',
  });
}
