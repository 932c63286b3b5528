import type { OutputStream } from './io';
import { cut } from './views/table';

/** A part of the terminal that is drawn again and again; the last picture stays in the scrollback. */
export class Screen {
  private drawn = 0;

  constructor(private readonly out: OutputStream) {}

  draw(text: string): void {
    const width = this.out.columns ?? 80;
    const height = Math.max(4, (this.out.rows ?? 24) - 1);
    const lines = text
      .trimEnd()
      .split('\n')
      .map((line) => cut(line, width));
    // What does not fit cannot be drawn over: the cursor does not go up into the scrollback.
    const shown = lines.length > height ? [...lines.slice(0, height - 1), '… more: shardlift status --all'] : lines;
    const up = this.drawn > 0 ? `\u001b[${this.drawn}A` : '';
    // One write for the whole picture, each line cleared behind its end: no flicker.
    this.out.write(`${up}\r${shown.map((line) => `${line}\u001b[K\n`).join('')}\u001b[J`);
    this.drawn = shown.length;
  }
}
