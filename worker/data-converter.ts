import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import type { DataConverter, Payload, PayloadCodec } from '@temporalio/common';
import { temporal } from '@temporalio/proto';

const compress = promisify(gzip);
const decompress = promisify(gunzip);

/** Marks a payload that holds a compressed one; the name that Temporal's own samples use. */
const encoding = 'binary/gzip';

/** A run of a thousand batches has a status of a megabyte that compresses twentyfold; small payloads stay readable in the UI. */
const smallestCompressedBytes = 32 * 1024;

/** Compresses large payloads: Temporal refuses those of 2 MB, and history is kept in its database. */
class GzipCodec implements PayloadCodec {
  async encode(payloads: Payload[]): Promise<Payload[]> {
    return Promise.all(
      payloads.map(async (payload) => {
        if ((payload.data?.length ?? 0) < smallestCompressedBytes) return payload;
        const whole = temporal.api.common.v1.Payload.encode(payload).finish();
        return { metadata: { encoding: Buffer.from(encoding) }, data: await compress(whole) };
      }),
    );
  }

  async decode(payloads: Payload[]): Promise<Payload[]> {
    return Promise.all(
      payloads.map(async (payload) => {
        const name = payload.metadata?.['encoding'];
        if (!name || Buffer.from(name).toString() !== encoding) return payload;
        return temporal.api.common.v1.Payload.decode(await decompress(payload.data ?? new Uint8Array()));
      }),
    );
  }
}

/** Client and worker must use the same one. */
export const dataConverter: DataConverter = { payloadCodecs: [new GzipCodec()] };
