/** The only style sheet; its hash is in the pages' content security policy. */
export const docsStyle = `
:root { --ink: #1b1f24; --quiet: #5b6570; --line: #dfe3e8; --paper: #fff; --panel: #f6f8fa; --link: #0b5cad; --get: #0a6b4b; --post: #7a4b00; --put: #5a3ea6; --delete: #a3242b; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ec; --quiet: #98a2ad; --line: #2f363e; --paper: #14181c; --panel: #1c2127; --link: #7ab8ff; --get: #5fd3a8; --post: #f0b860; --put: #b9a3ff; --delete: #ff8f94; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 system-ui, sans-serif; }
header { display: flex; gap: 2rem; align-items: baseline; padding: .8rem 1.5rem; border-bottom: 1px solid var(--line); position: sticky; top: 0; background: var(--paper); }
header .name { font-weight: 700; color: var(--ink); }
header nav { display: flex; gap: 1.2rem; }
.index { columns: 22rem; column-gap: 2rem; margin: 1.5rem 0; padding: .8rem 1.2rem; border: 1px solid var(--line); border-radius: 10px; font: .85rem/1.9 ui-monospace, monospace; }
.index a { display: block; color: var(--ink); overflow-wrap: anywhere; break-inside: avoid; }
main { max-width: 60rem; margin: 0 auto; padding: 1rem 1.5rem 6rem; }
a { color: var(--link); text-decoration: none; }
a:hover, a:focus-visible { text-decoration: underline; }
h1 small, small, .more { color: var(--quiet); font-weight: 400; }
h2 { margin: 3rem 0 .3rem; text-transform: capitalize; }
h3 { margin: 0; font-size: 1rem; overflow-wrap: anywhere; }
article { border: 1px solid var(--line); border-radius: 10px; padding: 1rem 1.2rem; margin: 1rem 0; scroll-margin-top: 4rem; overflow-x: auto; }
article:target, tr:target { border-color: var(--link); background: var(--panel); }
code { font: .92em ui-monospace, monospace; background: var(--panel); border-radius: 4px; padding: .1em .3em; }
.method { display: inline-block; min-width: 4.2rem; font: 700 .8rem ui-monospace, monospace; }
.get { color: var(--get); } .post { color: var(--post); } .put { color: var(--put); } .delete { color: var(--delete); }
table { border-collapse: collapse; width: 100%; margin: .6rem 0; font-size: .92rem; }
th { text-align: left; color: var(--quiet); font-weight: 500; }
th, td { padding: .35rem .8rem .35rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
tr { scroll-margin-top: 4rem; }
@media (max-width: 40rem) {
  header { padding: .8rem 1rem; gap: 1.2rem; }
  main { padding: 1rem 1rem 4rem; }
  thead { display: none; }
  table, tbody, tr { display: block; }
  tr { padding: .5rem 0; border-bottom: 1px solid var(--line); }
  td { display: inline-block; padding: 0 .6rem 0 0; border: 0; }
  td:last-child { display: block; padding: .1rem 0 0; }
}
`
