import { readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { compressions, type Compression } from '../../contracts/dump';
import { classifyAnswer, readErrorAnswer } from '../elasticsearch/classify-error';
import type { Cluster } from '../elasticsearch/cluster';
import { permanent } from '../failure';
import { compress, decompressed, extensionOf } from './compression';
import { fileFailure } from './state-file';

/**
 * What elasticdump keeps besides documents, in files that it names so: `logs.mapping.json` and so on. It prints settings,
 * analyzers and aliases twice, as a JSON string that has the JSON in it, and reads no other form; mappings once.
 */
const kinds = ['settings', 'analyzer', 'mapping', 'alias'] as const;
type Kind = (typeof kinds)[number];

const pathOf: Record<Kind, string> = {
  settings: '_settings',
  analyzer: '_settings',
  mapping: '_mapping',
  alias: '_alias',
};

function fileOf(directory: string, index: string, kind: Kind, compression: Compression): string {
  return path.join(directory, `${index}.${kind}${extensionOf[compression]}`);
}

/** Twice: the files as they are then. */
export async function dumpMetadata(
  cluster: Cluster,
  index: string,
  directory: string,
  compression: Compression,
): Promise<void> {
  for (const kind of kinds) {
    const answer = await cluster.request<object>({
      method: 'GET',
      path: `/${encodeURIComponent(index)}/${pathOf[kind]}`,
    });
    const json = JSON.stringify(answer.body);
    const file = fileOf(directory, index, kind, compression);
    const text = Buffer.from(`${kind === 'mapping' ? json : JSON.stringify(json)}\n`);
    try {
      await writeFile(`${file}.new`, await compress(text, compression));
      await rename(`${file}.new`, file);
    } catch (error) {
      throw fileFailure(error, file, 'the file cannot be written', 'see to the directory and its room, then retry');
    }
  }
}

async function read<Content>(directory: string, index: string, as: string, kind: Kind): Promise<Content | undefined> {
  for (const compression of compressions) {
    const file = fileOf(directory, index, kind, compression);
    try {
      let content = JSON.parse(await textOf(await readFile(file))) as unknown;
      if (typeof content === 'string') content = JSON.parse(content) as unknown;
      const byIndex = content as Record<string, Content>;
      // a file of one index counts for whatever its documents' index is called now
      const names = Object.keys(byIndex);
      return byIndex[as] ?? (names.length === 1 ? byIndex[names[0] ?? ''] : undefined);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') continue;
      throw fileFailure(
        error,
        file,
        'the file cannot be read',
        'mend it, or take it away to load without it, then retry',
      );
    }
  }
  return undefined;
}

async function textOf(bytes: Buffer): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of decompressed(Readable.from([bytes]), bytes)) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

/**
 * Given by the cluster that made the index, and refused by another; and blocks, such as the one that a cutover leaves on its source:
 * no document could be loaded.
 */
const ownSettings =
  /^(uuid|creation_date(_string)?|provided_name|version|resize|history|frozen|verified_before_close|verified_read_only|blocks)$/;

/**
 * Makes the index as the files beside the data say; answers false where it is there already, which is left as it is. Twice:
 * it is there. What a newer version refuses in settings and mappings is told in its own words.
 */
export async function createFromFiles(
  cluster: Cluster,
  directory: string,
  from: string,
  { index, isRenamed }: { index: string; isRenamed: boolean },
): Promise<boolean> {
  const where = `/${encodeURIComponent(index)}`;
  const { status } = await cluster.request({ method: 'GET', path: `${where}/_settings/index.uuid`, allow: [404] });
  if (status < 300) return false;
  const settings = await read<{ settings?: { index?: Record<string, unknown> } }>(directory, from, index, 'settings');
  const mapping = await read<{ mappings?: Record<string, unknown> }>(directory, from, index, 'mapping');
  const alias = await read<{ aliases?: object }>(directory, from, index, 'alias');
  const kept = Object.entries(settings?.settings?.index ?? {}).filter(([name]) => !ownSettings.test(name));
  const made = await cluster.request<{ error?: { type?: string } }>({
    method: 'PUT',
    path: where,
    allow: [400],
    body: {
      ...(kept.length > 0 ? { settings: { index: Object.fromEntries(kept) } } : {}),
      ...(mapping?.mappings ? { mappings: typeless(cluster, mapping.mappings, index) } : {}),
      // under another name it would answer beside the index that it was, for whoever asks the alias
      ...(alias?.aliases && !isRenamed ? { aliases: alias.aliases } : {}),
    },
    timeoutMs: 60_000,
  });
  if (made.status < 300) return true;
  // another file of the same index, loaded beside this one
  if (made.body.error?.type === 'resource_already_exists_exception') return false;
  throw classifyAnswer(`target cluster, PUT ${where}`, readErrorAnswer(made.status, made.body));
}

/** What stands at the top of a mapping itself; any other name there is that of a type. */
const ofMapping =
  /^(properties|dynamic|dynamic_templates|date_detection|numeric_detection|dynamic_date_formats|runtime|_.*)$/;

function typeless(cluster: Cluster, mappings: Record<string, unknown>, index: string): unknown {
  const names = Object.keys(mappings);
  // `_doc` is the type of a typeless index
  const types = names.filter((name) => name === '_doc' || name === '_default_' || !ofMapping.test(name));
  const real = types.filter((name) => name !== '_default_');
  const knowsTypes = cluster.version.distribution === 'elasticsearch' && cluster.version.major < 7;
  if (types.length === 0 || knowsTypes) return mappings;
  if (real.length <= 1) return real[0] === undefined ? {} : mappings[real[0]];
  throw permanent({
    type: 'ClusterRequestFailed',
    message: 'the index was dumped with more than one mapping type',
    where: `target cluster: ${index}`,
    why: real.join(', '),
    remedy: 'make the index on the target by hand, then load again: documents go into one that is there',
  });
}
