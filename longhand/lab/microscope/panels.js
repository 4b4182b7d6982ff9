// The microscope's page, third part: what is known of the selected symbol, and the lines of a unit.
// ---- lists of outputs and of what mattered
function bar(part, hue, centred) {
  const element = make('div', 'bar'), fill = make('i');
  const width = Math.min(1, Math.abs(part)) * (centred ? 50 : 100);
  element.style.setProperty('--zero', centred ? '50%' : '0');
  fill.style.width = width + '%';
  fill.style.left = !centred ? '0' : part < 0 ? (50 - width) + '%' : '50%';
  fill.style.background = 'rgb(' + theme[hue] + ')';
  element.append(fill);
  return element;
}
function outputRows(m) {
  const rows = make('div', 'rows');
  for (let k = 0; k < kTop; ++k) {
    const output = likely[m * kTop + k];
    if (output === none) break;
    const p = probability[m * kTop + k] / 65535;
    rows.append(
        make('span', output === right[m] ? 'name is' : 'name', alone(data.outputNames[output])),
        bar(p, output === right[m] ? 'one' : 'negative', false), make('span', '', p.toFixed(3)));
  }
  return rows;
}
const outputTitle = () =>
    (data.asks.startsWith('next') ? 'Expected here, from what came before' :
         data.ofSequences         ? 'The ' + data.asks + ' of this text' :
                                    'The ' + data.asks + ' of this word');
function addOutputs(into, at) {
  if (data.forecasts.length) {
    into.append(make('h3', '', 'The forecast from this window'), make('pre', '', data.forecasts[sequenceOf(at)]));
    return;
  }
  const m = outputOf(at);
  if (!likely || likely[m * kTop] === none) {
    into.append(make('p', 'soft', 'Nothing was read before this symbol.'));
    return;
  }
  into.append(make('h3', '', outputTitle()), outputRows(m));
  if (Number.isFinite(nats[m])) {
    const what = data.asks.startsWith('next') ? '' : ' for ' + data.outputNames[right[m]];
    into.append(make(
        'p', '',
        'Surprise' + what + ': ' + nats[m].toFixed(2) + ' nats (p = ' + Math.exp(-nats[m]).toPrecision(2) + ')'));
  }
}
const measures = [
  ['replaced', 'change of ' + data.score + ' if replaced'], ['gradient', 'length of the gradient'],
  ['product', 'gradient \u00b7 input']
];
const measureName = () => measures.find(([name]) => name === state.measure)[1];
function addMattered(into, e) {
  const target = alone(data.outputNames[e.target]);
  const score = e.score === null ? '' : ', ' + data.score + ' ' + number(e.score);
  into.append(make('h3', '', 'What mattered to the ' + data.asks + ' \u201c' + target + '\u201d' + score));
  const list = e[state.measure], order = list.map((_, k) => k).sort((a, b) => Math.abs(list[b]) - Math.abs(list[a]));
  const most = Math.abs(list[order[0]]) || 1, rows = make('div', 'rows');
  for (const k of order.slice(0, 8)) {
    const at = e.first + k, name = make('button', 'name', alone(nameOf(at)));
    name.title = 'symbol ' + at;
    name.addEventListener('click', () => select(at));
    const hue = state.measure === 'gradient' ? 'mattered' : list[k] < 0 ? 'negative' : 'positive';
    rows.append(name, bar(list[k] / most, hue, state.measure !== 'gradient'), make('span', '', number(list[k])));
  }
  into.append(
      rows, make('p', 'soft', measureName() + ', of the ' + list.length + ' ' + data.noun + 's from ' + e.first));
}
function inspect() {
  const box = $('inspector'), at = state.at;
  box.replaceChildren();
  const head = make('p');
  head.append(
      make('span', 'symbol', alone(nameOf(at))),
      make('span', 'soft', '  ' + data.noun + ' ' + at + ' of ' + data.n.toLocaleString('en')));
  box.append(make('h3', '', 'Selected'), head);
  const v = values(state.unit, state.q);
  if (v) box.append(make('p', '', unitName(data.units[state.unit]) + ': ' + state.q + ' = ' + number(valueAt(v, at))));
  addOutputs(box, at);
  if (state.decision && (state.mode === 'mattered' || state.decision === decisionAt(at))) {
    addMattered(box, state.decision);
  } else if (data.explanations.length) {
    const where = data.ofSequences ? 'the decisions listed below' : 'the underlined symbols';
    box.append(make('h3', '', 'What mattered'), make('p', 'soft', 'Computed for ' + where + ': keys n and p.'));
  }
}
// The explained decision that a symbol belongs to.
function decisionAt(at) {
  if (!data.ofSequences) return explanationAt.get(at) || null;
  return data.explanations.find((e) => e.begin <= at && at < e.end) || null;
}

// ---- the lines of a unit over a window of the text
const chart = $('chart');
let chartFrom = 0, chartCell = 10, chartLeft = 34;
function band(context, quantities, low, high, y, height, count) {
  const place = (x) => y + height - (x - low) / (high - low) * height;
  context.strokeStyle = theme.line;
  context.fillStyle = theme.soft;
  context.textAlign = 'right';
  context.textBaseline = 'middle';
  const ticks = low < 0 && high > 0 ? [low, 0, high] : [low, high];
  for (const x of ticks) {
    context.beginPath();
    context.moveTo(chartLeft, place(x));
    context.lineTo(chartLeft + count * chartCell, place(x));
    context.stroke();
    if (x !== 0 && ticks.includes(0) && Math.abs(place(x) - place(0)) < 14) continue;  // too near to be read
    context.fillText(Math.abs(x) >= 10 ? x.toFixed(0) : +x.toFixed(1), chartLeft - 5, place(x));
  }
  for (const q of quantities) {
    const v = values(state.unit, q);
    if (!v) continue;
    context.strokeStyle = theme[q];
    context.lineWidth = q === state.q ? 3 : 1.4;
    context.beginPath();
    for (let k = 0; k < count; ++k) {
      const x = chartLeft + (k + 0.5) * chartCell, value = place(valueAt(v, chartFrom + k));
      if (k === 0)
        context.moveTo(x, value);
      else
        context.lineTo(x, value);
    }
    context.stroke();
  }
  context.lineWidth = 1;
}
function drawChart() {
  const ratio = window.devicePixelRatio || 1, width = chart.clientWidth, height = chart.clientHeight;
  chart.width = width * ratio;
  chart.height = height * ratio;
  const context = chart.getContext('2d');
  context.scale(ratio, ratio);
  context.font = '12px system-ui, sans-serif';
  chartCell = data.spaced ? 62 : 11;
  const count = Math.min(data.n, Math.max(4, Math.floor((width - chartLeft - 4) / chartCell)));
  chartFrom = Math.max(0, Math.min(data.n - count, state.at - Math.floor(count / 2)));
  const foot = 22, room = height - foot - 12, here = chartLeft + (state.at - chartFrom) * chartCell;
  context.fillStyle = theme.panel;
  context.fillRect(here, 4, chartCell, height - 4);
  const cell = values(state.unit, 'c'), others = Array.from(data.quantities).filter((q) => q !== 'c');
  const most = cell ? Math.max(Math.abs(cell.low), Math.abs(cell.high), 0.1) : 0;
  if (cell) band(context, ['c'], Math.min(0, cell.low), Math.max(0, cell.high), 8, room * 0.42, count);
  band(context, others, -1, 1, cell ? 8 + room * 0.5 : 8, cell ? room * 0.5 : room, count);
  context.font = (data.spaced ? '11px ' : '13px ') + getComputedStyle(text).fontFamily;
  context.textAlign = 'center';
  context.textBaseline = 'alphabetic';
  for (let k = 0; k < count; ++k) {
    const name = nameOf(chartFrom + k);
    context.fillStyle = chartFrom + k === state.at ? theme.accent : theme.ink;
    context.fillText(
        data.spaced && name.length > 8 ? name.slice(0, 7) + '\u2026' : name, chartLeft + (k + 0.5) * chartCell,
        height - 7);
  }
  const title = $('chart-title');
  title.replaceChildren(
      make('span', '', unitName(data.units[state.unit]) + ' at \u201c' + alone(nameOf(state.at)) + '\u201d'));
  for (const q of data.quantities) {
    const v = values(state.unit, q);
    if (!v) continue;
    const key = make('span', 'key', q + ' ' + number(valueAt(v, state.at)));
    key.style.setProperty('--k', theme[q]);
    title.append(key);
  }
  chart.setAttribute('aria-label', title.textContent);
}
