import type { Client } from '@temporalio/client';
import type { Payload } from '@temporalio/common';
import { lazy } from './lazy';

/** Reads a payload of the run's history or description as the worker wrote it; undefined when it cannot be read. */
export async function decodePayload(client: Client, payload: Payload | null | undefined): Promise<unknown> {
  if (!payload) return undefined;
  try {
    const { payloadCodecs, payloadConverter } = client.options.loadedDataConverter;
    let [decoded] = [payload];
    for (const codec of [...payloadCodecs].reverse()) [decoded = payload] = await codec.decode([decoded]);
    return (payloadConverter ?? lazy.temporalCommon().defaultPayloadConverter).fromPayload(decoded);
  } catch {
    return undefined;
  }
}
