/** The report's whole style: in the file itself, since the file must open without a network. */
export const style = `
:root { color-scheme: light dark; --ink:#1b1f24; --soft:#57606a; --line:#d8dee4; --paper:#fff; --panel:#f6f8fa; --good:#1a7f37; --bad:#c62828; --care:#9a6700;
  --add:#e6ffec; --del:#ffebe9; --c1:#8250df; --c2:#0969da; --c3:#1b7c83; --c4:#2da44e; --c5:#bf8700; --c6:#57606a; --c7:#a0a8b0; --c8:#6e7781; }
@media (prefers-color-scheme: dark) { :root { --ink:#e6edf3; --soft:#9aa4af; --line:#30363d; --paper:#0d1117; --panel:#161b22; --good:#56d364; --bad:#ff7b72; --care:#e3b341;
  --add:#12361f; --del:#4a1c1d; --c1:#a371f7; --c2:#58a6ff; --c3:#39c5cf; --c4:#3fb950; --c5:#d29922; --c6:#8b949e; --c7:#6e7681; --c8:#8b949e; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; overflow-wrap: anywhere; }
main { max-width: 1100px; margin: 0 auto; padding: 24px 16px 64px; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 4px; } h2 { font-size: 1.2rem; margin: 36px 0 8px; padding-bottom: 4px; border-bottom: 1px solid var(--line); } h3 { font-size: 1rem; margin: 20px 0 6px; }
p { margin: 6px 0; } .soft { color: var(--soft); } .good { color: var(--good); } .bad { color: var(--bad); } .care { color: var(--care); }
.state { display: inline-block; padding: 2px 10px; border: 1px solid currentColor; border-radius: 12px; font-size: .9rem; font-weight: 600; }
.panel { background: var(--panel); border: 1px solid var(--line); border-radius: 8px; padding: 10px 14px; margin: 12px 0; } .panel.alarm { border-color: var(--bad); }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(130px, 1fr)); gap: 10px; margin: 16px 0; } .figures div { background: var(--panel); border: 1px solid var(--line); border-radius: 8px; padding: 8px 12px; }
.figures b { display: block; font-size: 1.15rem; } .figures span { color: var(--soft); font-size: .85rem; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-size: .9rem; } th, td { text-align: left; vertical-align: top; padding: 5px 10px 5px 0; border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: 600; white-space: nowrap; } td { min-width: 7em; } td.number { min-width: 0; } td.number, th.number { text-align: right; white-space: nowrap; }
code, pre { font: .82rem/1.45 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; } pre { background: var(--panel); border: 1px solid var(--line); border-radius: 6px; padding: 8px 10px; overflow-x: auto; margin: 6px 0; white-space: pre; }
pre.diff span { display: block; min-width: 100%; width: max-content; } .diff .add { background: var(--add); } .diff .del { background: var(--del); }
details { margin: 4px 0; } summary { cursor: pointer; } summary:hover { color: var(--c2); }
.timeline { margin: 12px 0; } .row { display: grid; grid-template-columns: 92px 1fr; gap: 8px; align-items: center; margin: 3px 0; font-size: .82rem; } .label { color: var(--soft); white-space: nowrap; }
.track { position: relative; display: block; height: 14px; background: var(--panel); border-radius: 3px; overflow: hidden; } .bar { position: absolute; top: 0; bottom: 0; min-width: 2px; border-radius: 2px; }
.ticks { display: flex; justify-content: space-between; color: var(--soft); } .legend { display: flex; flex-wrap: wrap; gap: 4px 14px; font-size: .82rem; color: var(--soft); } .key { display: inline-block; width: 10px; height: 10px; border-radius: 2px; margin-right: 5px; }
.stage-freeze { background: var(--c6); } .stage-snapshot { background: var(--c2); } .stage-copy { background: var(--c1); } .stage-restore { background: var(--c4); } .stage-create { background: var(--c2); } .stage-documents { background: var(--c1); } .stage-finalize { background: var(--c3); } .stage-verify { background: var(--c5); } .stage-cleanup { background: var(--c7); } .stage-phase { background: var(--c8); }
.bar.is-stuck, .bar.is-skipped { background: var(--bad); }
footer { margin-top: 48px; color: var(--soft); font-size: .85rem; }
@media (max-width: 600px) { h1 { font-size: 1.35rem; } .row { grid-template-columns: 66px 1fr; } .ticks span:nth-child(2n) { display: none; } }
@media print { details { display: block; } main { max-width: none; } }
`;
