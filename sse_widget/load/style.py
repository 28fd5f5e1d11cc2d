"""How the report looks: as a page in the colours of the plots' themes, in a notebook in those of the notebook."""

from __future__ import annotations

STYLE = """
div.sse-load { --ground: var(--jp-layout-color0, Canvas); --panel: color-mix(in srgb, currentcolor 7%, transparent);
  --faint: var(--jp-ui-font-color2, inherit); --line: color-mix(in srgb, currentcolor 18%, transparent);
  color: var(--jp-ui-font-color1, inherit); font: 13px/1.5 var(--jp-ui-font-family, system-ui, sans-serif);
  max-width: 62rem; }
main.sse-load { --ground: #ffffff; --panel: #f4f5f7; --ink: #22252b; --faint: #5b616b; --line: #dfe2e7;
  --accent: #0072b2; color: var(--ink); background: var(--ground); max-width: 58rem; margin: 0 auto;
  padding: 1.6rem 1.1rem 3rem; font: 15px/1.55 system-ui, "Noto Sans", "Noto Sans Arabic", sans-serif; }
html:has(> body > main.sse-load) { background: #ffffff; color-scheme: light dark; }
@media (prefers-color-scheme: dark) {
  main.sse-load { --ground: #16181d; --panel: #1f2229; --ink: #e6e7ea; --faint: #a8adb7; --line: #343841;
    --accent: #56b4e9; }
  html:has(> body > main.sse-load) { background: #16181d; }
}
body:has(> main.sse-load) { margin: 0; }
.sse-load h1 { font-size: 1.55em; line-height: 1.25; margin: 0 0 .25em; }
.sse-load h2 { font-size: 1.1em; margin: 1.8em 0 .5em; }
.sse-load header p { margin: 0; color: var(--faint); overflow-wrap: anywhere; }
.sse-load-tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.2rem, 1fr)); gap: .7rem;
  margin: 1.3rem 0 0; }
.sse-load-tiles > div { background: var(--panel); border-radius: .55rem; padding: .6rem .8rem; display: flex;
  flex-direction: column-reverse; justify-content: flex-end; }
.sse-load-tiles dt { color: var(--faint); font-size: .86em; line-height: 1.35; }
.sse-load-tiles dd { margin: 0; font-size: 1.35em; font-weight: 600; font-variant-numeric: tabular-nums;
  text-align: start; }
.sse-load[dir=rtl] .sse-load-tiles dd, [dir=rtl] .sse-load .sse-load-tiles dd { text-align: right; }
.sse-load-wide { overflow-x: auto; }
.sse-load table { border-collapse: collapse; width: 100%; font-size: .93em; font-variant-numeric: tabular-nums; }
.sse-load .sse-load-wide th, .sse-load .sse-load-wide td { padding: .34em .65em; white-space: nowrap; text-align: end;
  border: 0; border-top: 1px solid var(--line); background: var(--ground); color: inherit; max-width: none; }
.sse-load .sse-load-wide thead th { border-top: 0; color: var(--faint); font-weight: 400; }
.sse-load .sse-load-wide th:first-child { text-align: start; font-weight: 600; position: sticky;
  inset-inline-start: 0; }
.sse-load .sse-load-wide td.sse-load-text { text-align: start; white-space: normal; min-width: 10rem; }
[dir=rtl] .sse-load-wide td[dir=ltr], .sse-load[dir=rtl] .sse-load-wide td[dir=ltr] { text-align: left; }
.sse-load-note { color: var(--faint); font-size: .88em; margin: .5em 0 0; max-width: 46rem; }
.sse-load figure { margin: 1.8rem 0 0; min-width: 0; }
.sse-load figcaption { font-weight: 600; margin-bottom: .4em; }
.sse-load-drawn { overflow-x: auto; direction: ltr; }
.sse-load-pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); gap: 0 1rem; }
.sse-load figure svg { width: 100%; height: auto; display: block; direction: ltr; }
.sse-load-list { display: grid; grid-template-columns: repeat(auto-fill, minmax(11rem, 1fr)); gap: .1rem 1.2rem;
  margin: 0; }
.sse-load-list > div { display: flex; gap: .6em; border-top: 1px solid var(--line); padding: .25em 0; }
.sse-load-list dt { color: var(--faint); }
.sse-load-list dd { margin: 0; overflow-wrap: anywhere; }
.sse-load details { margin-top: 1.2em; }
.sse-load summary { cursor: pointer; color: var(--accent); }
.sse-load :focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
@media (max-width: 30rem) {
  .sse-load .sse-load-wide th:first-child { white-space: normal; max-width: 8.5rem; }
}
"""
