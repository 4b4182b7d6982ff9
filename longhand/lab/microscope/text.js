// The microscope's page, second part: the text.
// ---- the text: lines of symbols, of which only those in view are elements
const text = $('text'), lines = $('lines');
const tagged = !data.ofSequences && !!likely && data.asks === 'tag';
text.classList.toggle('spaced', data.spaced);
text.classList.toggle('tagged', tagged);
const wide =
    /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\ud83c-\ud83e]/;
const columnsOf = (name) => Array.from(name).reduce((sum, c) => sum + (wide.test(c) ? 2 : 1), 0);
const nameColumns = data.names.map(columnsOf);
const tagOf = (at) => (likely[at * kTop] === none ? '' : data.outputNames[likely[at * kTop]]);
function columns(at) {
  const own = nameColumns[symbols[at]];
  return tagged ? Math.max(own, Math.ceil(columnsOf(tagOf(at)) * 0.72)) : own;
}
let lineStart = [], lineHeight = 24, cellWidth = 9, shown = new Map(), colour = null;

function layOut() {
  const ruler = make('span', '', '0'.repeat(50));
  ruler.style.cssText = 'position:absolute;visibility:hidden;white-space:pre';
  lines.append(ruler);
  cellWidth =
      data.spaced ? ruler.getBoundingClientRect().width / 50 : Math.round(ruler.getBoundingClientRect().width / 50);
  ruler.remove();
  const size = parseFloat(getComputedStyle(text).fontSize);
  lineHeight = size * (tagged ? 2.9 : 1.6);
  const most = Math.max(8, Math.floor(lines.clientWidth / cellWidth));
  lineStart = [];
  let used = 0, sequence = 0;
  for (let at = 0; at < data.n; ++at) {
    const width = columns(at) + (data.spaced ? 1 : 0);
    const begins = starts[sequence] === at;
    if (begins) ++sequence;
    const broken = at > 0 && data.endsLine[symbols[at - 1]];
    if (at === 0 || broken || begins || used + width > most) {
      lineStart.push(at);
      used = 0;
    }
    used += width;
  }
  lines.style.height = (lineStart.length * lineHeight) + 'px';
  for (const line of shown.values()) line.remove();
  shown = new Map();
  render();
}
function lineOf(at) {
  let low = 0, high = lineStart.length;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (lineStart[middle] <= at)
      low = middle;
    else
      high = middle;
  }
  return low;
}
const lineEnd = (line) => (line + 1 < lineStart.length ? lineStart[line + 1] : data.n);
function symbolElement(at) {
  const name = nameOf(at);
  const element = make('span', 's', name === ' ' ? '\u00a0' : name);
  element.dataset.at = at;
  element.style.width = columns(at) * cellWidth + 'px';
  if (data.endsLine[symbols[at]]) element.classList.add('sign');
  if (tagged) {
    const wrong = right[at] !== none && right[at] !== likely[at * kTop];
    element.append(make('small', wrong ? 'wrong' : '', tagOf(at)));
    if (wrong) element.title = 'the text has ' + data.outputNames[right[at]];
  }
  if (explanationAt.has(at)) element.classList.add('ex');
  if (at === state.at) element.classList.add('sel');
  element.style.background = colour.of(at);
  return element;
}
function render() {
  const first = Math.max(0, Math.floor(text.scrollTop / lineHeight) - 8);
  const last = Math.min(lineStart.length, Math.ceil((text.scrollTop + text.clientHeight) / lineHeight) + 8);
  for (const [line, element] of shown) {
    if (line < first || line >= last) {
      element.remove();
      shown.delete(line);
    }
  }
  for (let line = first; line < last; ++line) {
    if (shown.has(line)) continue;
    const element = make('div', 'line');
    element.style.top = (line * lineHeight) + 'px';
    for (let at = lineStart[line]; at < lineEnd(line); ++at) element.append(symbolElement(at));
    lines.append(element);
    shown.set(line, element);
  }
}
function recolour() {
  colour = colouring();
  for (const line of shown.values()) {
    for (const element of line.children) element.style.background = colour.of(+element.dataset.at);
  }
  $('legend-low').textContent = colour.low;
  $('legend-high').textContent = colour.high;
  $('legend-bar').style.background = 'linear-gradient(90deg,' + colour.bar.join(',') + ')';
}
