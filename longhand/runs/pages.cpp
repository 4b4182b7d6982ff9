#include "longhand/runs/pages.h"

#include "longhand/io/bars.h"
#include "longhand/io/heat_map.h"

namespace longhand::runs {
namespace {

constexpr const char* kPagesStyle = R"css(
h3 { font-size: .95rem; margin: 1.8rem 0 .3rem; overflow-wrap: anywhere; } p { margin: .5rem 0; }
summary { cursor: pointer; margin: 1rem 0; } bdi { overflow-wrap: anywhere; }
.scroll { overflow-x: auto; margin: .8rem 0; }
.plain { border-collapse: collapse; font-size: .88rem; font-variant-numeric: tabular-nums; }
.plain th, .plain td { padding: .3rem .8rem .3rem 0; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
.plain th { font-weight: 400; color: var(--soft); font-size: .8rem; }
.plain th:first-child, .plain tbody th { text-align: left; color: var(--ink); }
.cards { display: grid; gap: .6rem; padding: 0; list-style: none; margin: .8rem 0; }
.cards > li { background: var(--panel); border-radius: 6px; padding: .6rem .8rem; overflow: hidden; min-width: 0; }
.cards p { margin: .2rem 0 0; font-size: .9rem; overflow-wrap: anywhere; white-space: pre-wrap; max-height: 16rem; overflow: hidden; }
.facts { display: flex; flex-wrap: wrap; gap: .1rem 1rem; font-size: .8rem; color: var(--soft); overflow-wrap: anywhere; }
.facts b { color: var(--ink); font-weight: 600; overflow-wrap: anywhere; min-width: 0; }
.cards mark, .legend mark { color: inherit; border-radius: 3px; padding: 0 .15rem;
  background: color-mix(in srgb, var(--c1) 38%, transparent); }
.line { font: .82rem/1.65 ui-monospace, monospace; }
.line i, .legend i { font-style: normal; border-radius: 2px; }
.legend { font-size: .8rem; color: var(--soft); } .legend i { display: inline-block; padding: 0 .4rem; color: var(--ink); }
.s1 { background: color-mix(in srgb, var(--c1) 12%, transparent); } .s2 { background: color-mix(in srgb, var(--c1) 24%, transparent); }
.s3 { background: color-mix(in srgb, var(--c1) 36%, transparent); } .s4 { background: color-mix(in srgb, var(--c1) 50%, transparent); }
.s5 { background: color-mix(in srgb, var(--c1) 66%, transparent); } .s6 { background: color-mix(in srgb, var(--c1) 85%, transparent); }
@media (prefers-color-scheme: dark) { .s5, .s6 { color: var(--paper) !important; } }
.unread { color: var(--soft); }
.samples { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(15rem, 100%), 1fr)); gap: .6rem; margin: .6rem 0 1.2rem; }
.samples > div { min-width: 0; } .samples pre { margin: .2rem 0 0; overflow: auto; max-height: 22rem; }
footer { margin: 2.5rem 0 1rem; border-top: 1px solid var(--line); padding-top: .8rem; color: var(--soft); font-size: .8rem; }
footer code { font: .95em ui-monospace, monospace; overflow-wrap: anywhere; white-space: pre-wrap; color: var(--ink); }
)css";

}  // namespace

std::string pages_style() { return kPagesStyle + io::bars_style() + io::heat_map_style(); }

}  // namespace longhand::runs
