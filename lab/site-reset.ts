import type { Site } from './site';
export interface ResetOptions { x?: number }
export async function resetSite(_site: Site, _options?: ResetOptions): Promise<void> {}
