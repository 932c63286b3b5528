import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium, type Browser, type Page } from 'playwright-core';
import { renderReport } from '../../client/report/html';
import { findOrInstallChromium } from '../../lab/prerequisites';
import { siteRunbookOf } from '../support/fixtures';
import { endedStatus, noon, planAnswer, runningStatus } from '../unit/client-fixtures';

/** The report in a real browser: whoever gets the file has nothing but it. */

jest.setTimeout(60_000);

let browser: Browser;
let directory: string;
let file: string;

/** Names as long and as odd as Elasticsearch and people allow. */
function oddReport(): string {
  const long = 'an-index-name-without-any-place-to-break-'.repeat(6).slice(0, 255);
  const running = runningStatus();
  const [batch] = running.batches;
  if (!batch) throw new Error('the fixture has batches');
  const status = endedStatus({
    now: long,
    batches: Array.from({ length: 60 }, (_, index) => ({ ...batch, number: index + 1 })),
    differences: [
      { where: long, what: '<script>document.title = "taken over"</script>' },
      { where: '<img src=x onerror="document.title = 1">', what: `"'><b>` },
    ],
    changes: [
      { step: long, at: noon.toISOString(), where: 'h11', what: long, before: long, after: `${long}\n${long}` },
    ],
  });
  return renderReport({
    generatedAt: noon.toISOString(),
    run: 'logs',
    status,
    runbook: siteRunbookOf('logs', { select: { include: [long] } }),
    plan: planAnswer().plan,
  });
}

beforeAll(async () => {
  directory = mkdtempSync(path.join(tmpdir(), 'shardlift-report-'));
  file = path.join(directory, 'report.html');
  writeFileSync(file, oddReport());
  const executablePath = await findOrInstallChromium();
  if (executablePath === undefined)
    throw new Error('no Chromium: name one with CHROMIUM, or install the package chromium');
  browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
}, 300_000);
afterAll(async () => {
  await browser?.close();
  rmSync(directory, { recursive: true, force: true });
});

async function openReport(width: number, colorScheme: 'light' | 'dark' = 'light') {
  const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme });
  const page = await context.newPage();
  const complaints: string[] = [];
  const requests: string[] = [];
  page.on('console', (message) => complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('request', (request) => requests.push(request.url()));
  await page.goto(pathToFileURL(file).href);
  return { page, complaints, requests };
}

/** Opens everything that can be opened: what is folded away cannot be too wide. */
async function unfold(page: Page): Promise<void> {
  await page.evaluate("document.querySelectorAll('details').forEach((each) => (each.open = true))");
}

describe.each([1280, 390])('at a width of %i pixels', (width) => {
  test('it opens without a complaint and asks for nothing but itself', async () => {
    const { page, complaints, requests } = await openReport(width);
    expect(complaints).toEqual([]);
    expect(requests).toEqual([pathToFileURL(file).href]);
    expect(await page.title()).toBe('logs: completed with differences');
    await page.context().close();
  });

  test('the page does not scroll sideways, also with everything unfolded', async () => {
    const { page } = await openReport(width);
    await unfold(page);
    const { inner, outer } = await page.evaluate<{ inner: number; outer: number }>(
      '({ inner: document.documentElement.scrollWidth, outer: window.innerWidth })',
    );
    expect(inner).toBeLessThanOrEqual(outer);
    await page.context().close();
  });

  test('bars lie inside their tracks and can be seen', async () => {
    const { page } = await openReport(width);
    const wrong = await page.evaluate<string[]>(`
      [...document.querySelectorAll('.bar')].filter((bar) => {
        const [inside, track] = [bar.getBoundingClientRect(), bar.parentElement.getBoundingClientRect()];
        return inside.width < 1 || inside.height < 5 || inside.left < track.left - 1 || inside.left > track.right;
      }).map((bar) => bar.title)`);
    expect(wrong).toEqual([]);
    expect(await page.locator('.bar').count()).toBeGreaterThan(100);
    await page.context().close();
  });
});

test('what is named like markup is shown as text', async () => {
  const { page } = await openReport(1280);
  expect(await page.locator('script, img, iframe').count()).toBe(0);
  expect(await page.locator('body').innerText()).toContain('<script>document.title = "taken over"</script>');
  await page.context().close();
});

test.each(['light', 'dark'] as const)('in %s colours the text stands out from the paper', async (scheme) => {
  const { page } = await openReport(390, scheme);
  const [ink, paper] = await page.evaluate<[number, number]>(`['color', 'backgroundColor'].map((name) => {
    const [r, g, b] = getComputedStyle(document.body)[name].match(/\\d+/g).map(Number);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  })`);
  expect(Math.abs(ink - paper)).toBeGreaterThan(150);
  expect(paper > 128).toBe(scheme === 'light');
  await page.context().close();
});
