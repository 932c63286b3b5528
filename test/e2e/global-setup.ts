import { dismantle } from '../../lab/guard';
import { startPair } from '../../lab/pair';

/** What the e2e tests share: two real clusters on loopback, started once for all files. */
export interface SharedPair {
  name: string;
  directory: string;
  source: string;
  target: string;
  repositoryDir: string;
}

export default async function startSharedPair(): Promise<() => Promise<void>> {
  const pair = await startPair({ heap: '512m' });
  const shared: SharedPair = {
    name: pair.name,
    directory: pair.directory,
    source: pair.source.url,
    target: pair.target.url,
    repositoryDir: pair.repositoryDir,
  };
  process.env['SHARDLIFT_TEST_PAIR'] = JSON.stringify(shared);
  return () => dismantle(pair.directory);
}
